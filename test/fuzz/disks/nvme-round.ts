/**
 * Plays a hostile driver of an NVMe controller.
 *
 * Holds: no exception; nothing beyond the disk or the RAM is touched; what is saved can be restored.
 */
import { MemoryDisk } from '../../../src/devices/memory-disk.fixture.ts';
import { NvmeDriver } from '../../../src/devices/nvme/driver.fixture.ts';
import { awkward, pick, type Random, writeAny } from './rounds.ts';

const STEPS = 400;
const RAM_BYTES = 4 * 2 ** 20;

/** One life, which `random` determines. Returns how much was tried. */
export function nvmeRound(random: Random): number {
  const driver = new NvmeDriver(new MemoryDisk(64 * 512, random(4) === 0));
  driver.enable();
  driver.createQueues();
  for (let step = 0; step < STEPS; step++) {
    act(driver, random);
    if (random(60) === 0) {
      const saved = structuredClone(driver.controller.persist.save());
      driver.controller.persist.restore(saved);
    }
    if (random(40) === 0) {
      driver.write(0x14, 0);
      driver.enable();
      if (random(2) === 0) driver.createQueues();
    }
    driver.messages.length = 0;
  }
  return STEPS;
}

function act(driver: NvmeDriver, random: Random): void {
  const queue = random(2);
  switch (random(8)) {
    case 0:
    case 1:
    case 2:
      driver.submit(queue, {
        opcode: pick(random, queue === 0 ? [0, 1, 2, 4, 5, 6, 8, 9, 10, 12] : [0, 1, 2, 5, 8, 9]),
        namespace: pick(random, [1, 1, 1, 0, awkward(random)]),
        prp1: pointer(random),
        prp2: pointer(random),
        dw10: pick(random, [random(70), awkward(random), random(4) | (random(64) << 16)]),
        dw11: pick(random, [0, 3, 4, awkward(random)]),
        dw12: pick(random, [random(64), awkward(random)]),
        ...(random(20) === 0 ? { flags: random(256) } : {}),
      });
      break;
    case 3: // a list of pages
      driver.memory.write32(0x8_0000 + random(1024) * 4, pointer(random) % 2 ** 32);
      break;
    case 4:
      driver.write(random(0x1000) * 4, awkward(random));
      break;
    case 5:
      driver.takeCompletions(queue);
      break;
    case 6:
      writeAny(random, (...where) => driver.controller.function.writeConfig(...where), 256);
      break;
    default:
      driver.read(random(0x1000) * 4);
  }
  if (random(2) === 0) driver.ring(queue);
}

function pointer(random: Random): number {
  return pick(random, [
    0x8_0000,
    0x10_0000 + random(256) * 4096,
    0x10_0000 + random(4096),
    RAM_BYTES - random(8192),
    awkward(random),
    2 ** 40 + awkward(random),
  ]);
}
