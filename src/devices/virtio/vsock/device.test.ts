import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandLink } from '../net/driver.fixture.ts';
import { BUFFERS, PciDriver, reads, writes } from '../pci-driver.fixture.ts';
import { VirtioVsock } from './device.ts';
import { EVENT_QUEUE, PACKET_HEADER_BYTES, RECEIVE_QUEUE, TRANSMIT_QUEUE } from './spec.ts';

function start() {
  const link = new HandLink();
  const device = new VirtioVsock({ name: 'virtio-vsock-0', link, cid: 3 });
  const driver = new PciDriver(device);
  driver.start();
  return { link, device, driver };
}

/** A packet whose payload counts up. */
function packet(op: number, payload: number): Uint8Array {
  const bytes = new Uint8Array(PACKET_HEADER_BYTES + payload).map((_, at) => at);
  new DataView(bytes.buffer).setUint32(24, payload, true);
  new DataView(bytes.buffer).setUint16(30, op, true);
  return bytes;
}

const lengthOf = (bytes: Uint8Array) => new DataView(bytes.buffer).getUint32(24, true);

test('the context id stands in the configuration', () => {
  const { device } = start();
  assert.equal(device.readConfig(0, 4), 3);
  assert.equal(device.readConfig(4, 4), 0);
});

test('packets of the driver go to the link; long ones in pieces that fit', () => {
  const { driver, link } = start();
  driver.memory.write(BUFFERS, packet(5, 50_000));
  driver.post(TRANSMIT_QUEUE, [reads(BUFFERS, 44), reads(BUFFERS + 44, 50_000)]);
  driver.kick(TRANSMIT_QUEUE);
  assert.deepEqual(
    link.sent.map(({ frame }) => [frame.length - 44, lengthOf(frame.slice())]),
    [
      [32_768, 32_768],
      [17_232, 17_232],
    ],
  );
  assert.deepEqual(link.sent[1]?.frame.slice(44), packet(5, 50_000).slice(44 + 32_768));
  assert.equal(driver.used(TRANSMIT_QUEUE).length, 1);
});

test('what the link has no room for waits in the queue, and nothing is sent twice', () => {
  const { driver, link, device } = start();
  driver.memory.write(BUFFERS, packet(5, 50_000));
  driver.post(TRANSMIT_QUEUE, [reads(BUFFERS, 50_044)]);
  let room = 1;
  const send = link.send.bind(link);
  link.send = (frame, offload) => room-- > 0 && send(frame, offload);
  driver.kick(TRANSMIT_QUEUE);
  assert.equal(driver.used(TRANSMIT_QUEUE).length, 0);
  room = 5;
  device.ready();
  assert.deepEqual(
    link.sent.map(({ frame }) => frame.length - 44),
    [32_768, 17_232],
  );
  assert.equal(driver.used(TRANSMIT_QUEUE).length, 1);
});

test('packets of the link go into as many buffers as they take', () => {
  const { driver, link } = start();
  const buffer = (index: number) => BUFFERS + 0x1000 * index;
  for (let index = 0; index < 2; index++) {
    driver.post(RECEIVE_QUEUE, [writes(buffer(index), 44), writes(buffer(index) + 44, 1000)]);
  }
  link.deliver(packet(5, 2500));
  assert.deepEqual(
    driver.used(RECEIVE_QUEUE).map(({ bytes }) => bytes),
    [1044, 1044],
  );
  // The rest goes where the driver makes room.
  driver.post(RECEIVE_QUEUE, [writes(buffer(2), 2000)]);
  driver.kick(RECEIVE_QUEUE);
  assert.deepEqual(
    driver.used(RECEIVE_QUEUE).map(({ bytes }) => bytes),
    [544],
  );
  const received = [0, 1, 2].flatMap((index) => {
    const length = lengthOf(driver.bytes(buffer(index), 44));
    return [...driver.bytes(buffer(index) + 44, length)];
  });
  assert.deepEqual(received, [...packet(5, 2500).slice(44)]);
  assert.equal(link.waiting.length, 0);
});

test('buffers without room and packets without a header break the driver', () => {
  for (const size of [43, 44]) {
    const { driver, link } = start();
    driver.post(RECEIVE_QUEUE, [writes(BUFFERS, size)]);
    link.deliver(packet(5, 10));
    assert.equal(driver.needsReset, true);
  }
  const { driver } = start();
  driver.post(TRANSMIT_QUEUE, [reads(BUFFERS, 43)]);
  driver.kick(TRANSMIT_QUEUE);
  assert.equal(driver.needsReset, true);
});

test('a length that is not true is made so', () => {
  const { driver, link } = start();
  const wrong = packet(5, 10);
  new DataView(wrong.buffer).setUint32(24, 4_000_000, true);
  driver.memory.write(BUFFERS, wrong);
  driver.post(TRANSMIT_QUEUE, [reads(BUFFERS, 54)]);
  driver.kick(TRANSMIT_QUEUE);
  assert.deepEqual(
    link.sent.map(({ frame }) => lengthOf(frame.slice())),
    [10],
  );
});

test('after a restore the driver hears that its connections are gone, once', () => {
  const { driver, device } = start();
  const { persist } = driver.transport;
  persist.restore(structuredClone(persist.save()));
  driver.post(EVENT_QUEUE, [writes(BUFFERS, 4)]);
  device.poll();
  assert.deepEqual(
    driver.used(EVENT_QUEUE).map(({ bytes }) => bytes),
    [4],
  );
  assert.equal(driver.memory.read32(BUFFERS), 0);
  driver.post(EVENT_QUEUE, [writes(BUFFERS, 4)]);
  device.poll();
  driver.kick(EVENT_QUEUE);
  assert.deepEqual(driver.used(EVENT_QUEUE), []);
});
