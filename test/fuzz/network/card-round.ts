/**
 * The network card under a driver that writes anything into its queues. What must hold: no exception; a frame that goes
 * out has a length that can be; what cannot be makes the driver broken.
 */
import assert from 'node:assert/strict';
import { HandDriver } from '../../../src/devices/virtio/net/driver.fixture.ts';
import { seededRandom } from '../../../src/net/test-kit.fixture.ts';
import { below, pick, type Random } from './frames.ts';

const REQUESTS = 2000;
const RAM_BYTES = 4 << 20;

/** One life of a card, which `seed` determines. Returns the requests made. */
export function round(seed: number): number {
  const random = seededRandom(seed);
  for (let warm = 0; warm < 10; warm++) random();
  const features = BigInt(below(random, 2 ** 24)) | (BigInt(below(random, 4)) << 28n);
  const driver = new HandDriver(features, pick(random, [1, 1, 2, 8]));
  for (let count = 0; count < REQUESTS; count++) {
    request(random, driver);
    if (random() < 0.2) driver.link.deliver(new Uint8Array(14 + below(random, 3000)));
    if (random() < 0.1) driver.link.hasRoom = random() < 0.8;
    if (random() < 0.05) driver.device.ready();
    if (random() < 0.5) driver.device.poll();
    if (random() < 0.01) scribble(random, driver);
    if (random() < 0.01) driver.device.persist.save();
    for (const { frame } of driver.link.sent.splice(0)) {
      assert.ok(frame.length >= 14 && frame.length <= 65_549, `a frame of ${frame.length} bytes`);
    }
    driver.link.waiting.splice(16);
    if (driver.reasons.length > 0) {
      driver.reasons = [];
      driver.device.reset();
      for (const { queue } of driver.queues) queue.halt();
      driver.activate();
    }
  }
  return REQUESTS;
}

/** A chain of random buffers, few of which are in order, in a random queue. */
function request(random: Random, driver: HandDriver): void {
  const index = below(random, driver.queues.length);
  const isReceiving = index % 2 === 0 && random() < 0.9;
  const buffers = Array.from({ length: 1 + below(random, 4) }, () => ({
    gpa: random() < 0.98 ? below(random, RAM_BYTES - 0x10_0000) + 0x8_0000 : below(random, 2 ** 32),
    bytes: pick(random, [0, 1, 6, 12, 14, 60, 1526, below(random, 70_000)]),
    isWritable: random() < 0.95 ? isReceiving : random() < 0.5,
  }));
  driver.queue(index).post(buffers);
  driver.device.notify(below(random, driver.queues.length + 1));
}

/** Writes into the rings themselves. */
function scribble(random: Random, driver: HandDriver): void {
  const at = 0x1_0000 + 4 * below(random, 0x2_0000);
  driver.memory.write32(at, below(random, 2 ** 32));
}
