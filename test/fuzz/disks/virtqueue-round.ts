/**
 * Plays a hostile driver of virtio devices: rings, descriptors and registers hold whatever they may.
 *
 * Holds: no exception; nothing beyond the disk or the RAM is touched; what is saved can be restored.
 */
import { PLAIN_FRAME } from '../../../src/bus/mod.ts';
import { MemoryDisk } from '../../../src/devices/memory-disk.fixture.ts';
import type { VirtioDevice } from '../../../src/devices/virtio/device.ts';
import { EchoServer } from '../../../src/devices/virtio/fs/echo-server.fixture.ts';
import {
  VirtioBalloon,
  VirtioBlk,
  VirtioConsole,
  VirtioFs,
  VirtioNet,
  VirtioRng,
  VirtioVsock,
} from '../../../src/devices/virtio/mod.ts';
import { HandLink } from '../../../src/devices/virtio/net/driver.fixture.ts';
import { COMMON_BYTES, PLACE } from '../../../src/devices/virtio/pci/registers.ts';
import {
  BUFFERS,
  type HandBuffer,
  PciDriver,
  RAM_BYTES,
} from '../../../src/devices/virtio/pci-driver.fixture.ts';
import type { GuestMemory } from '../../../src/memory/mod.ts';
import { awkward, pick, type Random, writeAny } from './rounds.ts';

const STEPS = 400;
const SECTORS = 64;

const devices: readonly ((random: Random, memory: GuestMemory) => VirtioDevice)[] = [
  (random) =>
    new VirtioBlk({
      name: 'virtio-blk-0',
      backend: new MemoryDisk(SECTORS * 512, random(4) === 0),
      serial: 'fuzz',
      queues: 1 + random(3),
    }),
  () => new VirtioRng({ name: 'virtio-rng-0', fillRandom: (target) => void target.fill(7) }),
  () => new VirtioFs({ name: 'virtio-fs-0', tag: 'fuzz', server: new EchoServer() }),
  () => new VirtioVsock({ name: 'virtio-vsock-0', link: new HandLink(), cid: 3 }),
  (random) => {
    const mac = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
    const queuePairs = 1 + random(3);
    return new VirtioNet({ name: 'virtio-net-0', link: new HandLink(), mac, queuePairs });
  },
  (_random, memory) => new VirtioBalloon({ name: 'virtio-balloon-0', memory }),
  (random) => {
    const ports = Array.from({ length: 1 + random(3) }, () => ({ output: () => {} }));
    return new VirtioConsole({ name: 'virtio-console-0', ports });
  },
];

/** One life, which `random` determines. Returns how much was tried. */
export function virtqueueRound(random: Random): number {
  const make = pick(random, devices);
  let device: VirtioDevice | undefined;
  const driver = new PciDriver((memory) => {
    device = make(random, memory);
    return device;
  });
  const queues = driver.read(0x12, 2);
  const start = () => {
    driver.place();
    driver.start(driver.offered() & BigInt(pick(random, [0, -1, awkward(random)])), 2 ** random(7));
    if (random(2) === 0) driver.enableMsix();
  };
  start();
  for (let step = 0; step < STEPS; step++) {
    if (driver.needsReset && random(3) === 0) start();
    act(driver, random, random(queues));
    if (random(60) === 0) restoreInto(driver, new PciDriver((memory) => make(random, memory)));
    if (random(20) === 0) stir(device, random);
    driver.messages.length = 0;
    driver.faults.length = 0;
  }
  return STEPS;
}

/** Something happens on the host. */
function stir(device: VirtioDevice | undefined, random: Random): void {
  if (device instanceof VirtioConsole) {
    device.receive(new Uint8Array(random(500)), random(3));
    device.resize(random(300), random(100));
  }
  if (device instanceof VirtioFs || device instanceof VirtioVsock) device.poll();
  if (device instanceof VirtioNet) {
    device.receive(new Uint8Array(14 + random(9000)), PLAIN_FRAME);
    device.settled();
    device.ready();
    device.poll();
  }
  if (device instanceof VirtioVsock) {
    device.receive(new Uint8Array(44 + random(9000)));
    device.settled();
  }
  if (device instanceof VirtioBalloon) {
    device.setTarget(random(2 ** 20));
    device.requestStatistics();
  }
}

function act(driver: PciDriver, random: Random, queue: number): void {
  switch (random(10)) {
    case 0: // a well-formed header somewhere
    case 1:
      driver.memory.write32(BUFFERS, pick(random, [0, 1, 4, 8, 11, 13, awkward(random)]));
      driver.memory.write32(BUFFERS + 8, pick(random, [0, random(SECTORS), awkward(random)]));
      driver.memory.write32(BUFFERS + 12, pick(random, [0, 0, 0, awkward(random)]));
      break;
    case 2:
    case 3:
      driver.post(queue, chain(random));
      break;
    case 4:
      driver.postIndirect(queue, chain(random).slice(0, 8));
      break;
    case 5: // a word of a ring
      driver.memory.write32(driver.base(queue) + random(0x4000) * 4, awkward(random));
      break;
    case 6:
      driver.offer(queue, pick(random, [random(16), awkward(random) & 0xffff]));
      break;
    case 7:
      writeRegister(driver, random);
      break;
    case 8:
      writeAny(random, (...where) => driver.transport.function.writeConfig(...where), 256);
      driver.transport.function.readConfig(random(252), 4);
      break;
    default:
      driver.kick(queue);
  }
  if (random(3) === 0) driver.kick(queue);
}

/** A write near the beginning of one of the structures, or anywhere. */
function writeRegister(driver: PciDriver, random: Random): void {
  const structure = pick(random, [0, 0, ...Object.values(PLACE)]);
  const bytes = structure === 0 ? pick(random, [COMMON_BYTES, 0x8000]) : 0x60;
  writeAny(random, (at, size, value) => driver.bar.write(structure + at, size, value), bytes);
}

function chain(random: Random): HandBuffer[] {
  const header = { gpa: BUFFERS, bytes: 16, isWritable: false };
  const buffers: HandBuffer[] = random(3) > 0 ? [header] : [];
  for (let count = random(5); count > 0; count--) {
    const gpa = pick(random, [
      BUFFERS + random(0x1_0000),
      RAM_BYTES - random(600),
      awkward(random),
    ]);
    const bytes = pick(random, [0, 1, 16, 512, 512 * random(70), random(5000), awkward(random)]);
    buffers.push({ gpa, bytes, isWritable: random(2) === 0 });
  }
  // Mostly in the order that is allowed.
  if (random(4) > 0)
    buffers.sort((left, right) => Number(left.isWritable) - Number(right.isWritable));
  return buffers.slice(0, 12);
}

function restoreInto(driver: PciDriver, twin: PciDriver): void {
  const saved = structuredClone(driver.transport.persist.save());
  try {
    twin.transport.persist.restore(saved);
  } catch (error) {
    // A device of another shape refuses.
    if ((error as { code?: string }).code !== 'snapshot-invalid') throw error;
  }
  driver.transport.persist.restore(saved);
}
