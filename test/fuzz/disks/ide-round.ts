/**
 * Plays a hostile driver of an IDE controller with a disk and a disc.
 *
 * Holds: no exception; nothing beyond the disks or the RAM is touched; what is saved can be restored.
 */
import assert from 'node:assert/strict';
import { AtaDisk, AtapiCdrom, IdeController, type IdeDrive } from '../../../src/devices/ide/mod.ts';
import { COMMAND } from '../../../src/devices/ide/spec.ts';
import { MemoryDisk } from '../../../src/devices/memory-disk.fixture.ts';
import { ProbeLine } from '../../../src/devices/test-kit.fixture.ts';
import { FramePool, GuestMemory } from '../../../src/memory/mod.ts';
import type { Persistent } from '../../../src/state/mod.ts';
import { awkward, pick, type Random } from './rounds.ts';

const STEPS = 600;
const SECTORS = 300;
const RAM_BYTES = 2 ** 20;
const COMMANDS = Object.values(COMMAND);
/** Packets that a disc knows. */
const PACKETS = [0x00, 0x03, 0x12, 0x1a, 0x25, 0x28, 0x43, 0x46, 0x4a, 0x51, 0x5a, 0xa8, 0xbd];

/** The drives take every failure for one of the medium: this one remembers what must not be. */
class WatchedDisk extends MemoryDisk {
  hasStrayed = false;

  override read(offset: number, target: Uint8Array): void {
    this.#watch(offset, target.length);
    super.read(offset, target);
  }

  override write(offset: number, source: Uint8Array): void {
    this.#watch(offset, source.length);
    super.write(offset, source);
  }

  #watch(offset: number, bytes: number): void {
    if (offset < 0 || offset + bytes > this.bytes || !Number.isInteger(offset)) {
      this.hasStrayed = true;
    }
  }
}

class Machine {
  readonly memory = new GuestMemory(
    new FramePool(GuestMemory.poolBytes(RAM_BYTES), { shared: false }),
    [{ start: 0, bytes: RAM_BYTES }],
  );
  readonly images: readonly WatchedDisk[];
  readonly controller: IdeController;
  readonly parts: readonly Persistent[];

  constructor(isReadOnly: boolean, discBytes: number) {
    const image = new WatchedDisk(SECTORS * 512, isReadOnly);
    const disc = new WatchedDisk(discBytes);
    this.images = [image, disc];
    const drives = [
      new AtaDisk({ name: 'ide-0', backend: image, serial: 'fuzz' }),
      new AtapiCdrom({ name: 'ide-1', backend: disc }),
    ] as const satisfies readonly IdeDrive[];
    const lines = [new ProbeLine(), new ProbeLine()] as const;
    this.controller = new IdeController({ memory: this.memory, lines, drives });
    this.parts = [this.controller, ...drives];
  }
}

/** One life, which `random` determines. Returns how much was tried. */
export function ideRound(random: Random): number {
  const shape = [random(4) === 0, 2048 * (1 + random(20)) - 512 * random(4)] as const;
  const machine = new Machine(...shape);
  for (let step = 0; step < STEPS; step++) {
    act(machine, random);
    if (random(60) === 0) restoreInto(machine, new Machine(...shape));
    if (random(100) === 0) machine.controller.reset();
  }
  for (const image of machine.images) assert.ok(!image.hasStrayed, 'beyond the disk');
  return STEPS;
}

function act({ controller, memory }: Machine, random: Random): void {
  const channel = controller.channels[0];
  const block = channel.commandBlock;
  const master = controller.function.bars[4]?.bank;
  switch (random(12)) {
    case 0:
    case 1: // a task file, mostly within the disk, and a command
      block.write(6, 1, pick(random, [0xe0, 0xe0, 0xf0, 0xf0, 0xa0, random(256)]));
      for (const register of [1, 2, 3, 4, 5]) {
        block.write(register, 1, pick(random, [0, 1, random(4), random(256)]));
      }
      block.write(7, 1, pick(random, [...COMMANDS, COMMAND.packet, COMMAND.packet, random(256)]));
      break;
    case 2: // a packet
      block.write(6, 1, 0x10);
      block.write(7, 1, COMMAND.packet);
      block.write(0, 2, pick(random, [...PACKETS, random(256)]) | (random(256) << 8));
      for (let word = 1; word < 6; word++)
        block.write(0, 2, pick(random, [0, 0, random(0x1_0000)]));
      break;
    case 3:
    case 4:
      for (let count = random(600); count > 0; count--) block.read(0, pick(random, [1, 2, 4]));
      break;
    case 5:
      for (let count = random(600); count > 0; count--) {
        const size = pick(random, [2, 4] as const);
        block.write(0, size, random(2 ** (8 * size)));
      }
      break;
    case 6:
      block.read(random(8), 1);
      channel.controlBlock.read(0, 1);
      break;
    case 7:
      channel.controlBlock.write(0, 1, pick(random, [0, 2, 4, 0x80, random(256)]));
      break;
    case 8: // a table of regions
      for (let entry = 0; entry < 4; entry++) {
        memory.write32(
          0x1000 + 8 * entry,
          pick(random, [0x4000, random(RAM_BYTES), awkward(random)]),
        );
        memory.write32(0x1004 + 8 * entry, pick(random, [512, 0x8000_0200, awkward(random)]));
      }
      break;
    case 9:
      master?.write(4, 4, pick(random, [0x1000, 0x1000, awkward(random)]));
      master?.write(0, 1, pick(random, [0, 1, 8, 9, random(256)]));
      break;
    case 10: {
      const size = pick(random, [1, 2, 4] as const);
      master?.write(random(17 - size), size, random(2 ** (8 * size)));
      break;
    }
    default:
      block.write(random(8), 1, random(256));
  }
}

function restoreInto(machine: Machine, twin: Machine): void {
  for (const [index, part] of machine.parts.entries()) {
    const saved = structuredClone(part.persist.save());
    twin.parts[index]?.persist.restore(saved);
    part.persist.restore(saved);
    assert.deepStrictEqual(twin.parts[index]?.persist.save(), saved);
  }
}
