import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlockBackend } from '../../bus/mod.ts';
import { FramePool, GuestMemory } from '../../memory/mod.ts';
import { ProbeLine } from '../test-kit.fixture.ts';
import { AtaDisk, AtapiCdrom, IdeController } from './mod.ts';

class Memory implements BlockBackend {
  readonly clusterBytes = 512;
  readonly isReadOnly = false;
  readonly contents: Uint8Array;
  flushes = 0;
  isBroken = false;

  constructor(bytes: number) {
    this.contents = Uint8Array.from({ length: bytes }, (_, at) => (at >> 9) + at * 3);
  }

  get bytes(): number {
    return this.contents.length;
  }

  read(offset: number, target: Uint8Array): void {
    if (this.isBroken) throw new Error('broken');
    target.set(this.contents.subarray(offset, offset + target.length));
  }

  write(offset: number, source: Uint8Array): void {
    this.contents.set(source, offset);
  }

  writeZeroes(offset: number, bytes: number): void {
    this.contents.fill(0, offset, offset + bytes);
  }

  discard(): void {}

  flush(): void {
    this.flushes++;
  }

  close(): void {}
}

const SECTORS = 300;

function setup() {
  const memory = new GuestMemory(new FramePool(2 ** 20), [{ start: 0, bytes: 2 ** 19 }]);
  const diskFile = new Memory(SECTORS * 512);
  const discFile = new Memory(20 * 2048);
  const disk = new AtaDisk({ name: 'disk', backend: diskFile, serial: 'serial-1' });
  const disc = new AtapiCdrom({ name: 'disc', backend: discFile });
  const lines = [new ProbeLine(), new ProbeLine()] as const;
  const drives = [disk, undefined, disc, undefined];
  const controller = new IdeController({ memory, lines, drives });
  const [first, second] = controller.channels;
  const busMaster = controller.function.bars[4]!.bank;
  return { memory, diskFile, discFile, disk, disc, lines, controller, first, second, busMaster };
}

type Channel = ReturnType<typeof setup>['first'];

const status = (channel: Channel): number => channel.commandBlock.read(7, 1);

/** Task file as values of registers 1 to 6, then the command. */
function command(channel: Channel, code: number, registers: readonly number[] = []): void {
  registers.forEach((value, index) => {
    channel.commandBlock.write(1 + index, 1, value);
  });
  channel.commandBlock.write(7, 1, code);
}

function readData(channel: Channel, bytes: number): Uint8Array {
  const result = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 2) {
    const word = channel.commandBlock.read(0, 2);
    result[at] = word;
    result[at + 1] = word >> 8;
  }
  return result;
}

function packet(channel: Channel, bytes: readonly number[], limit = 2048): void {
  command(channel, 0xa0, [0, 0, 0, limit & 0xff, limit >> 8, 0xa0]);
  assert.equal(status(channel) & 0x88, 0x08, 'the drive waits for the packet');
  for (let at = 0; at < 12; at += 2) {
    channel.commandBlock.write(0, 2, (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
  }
}

describe('IDE: a hard disk', () => {
  test('identifies itself with its size and serial number', () => {
    const { first } = setup();
    command(first, 0xec, [0, 0, 0, 0, 0, 0xa0]);
    const words = new Uint16Array(readData(first, 512).buffer);
    assert.equal(words[60]! | (words[61]! << 16), SECTORS);
    assert.equal(words[100], SECTORS);
    const serial = [...words.slice(10, 14)].map((word) =>
      String.fromCharCode(word >> 8, word & 0xff),
    );
    assert.equal(serial.join(''), 'serial-1');
    assert.equal(status(first), 0x50);
  });

  test('reads sectors, with an interrupt for each', () => {
    const { first, diskFile, lines } = setup();
    command(first, 0x20, [0, 2, 5, 0, 0, 0xe0]);
    assert.equal(lines[0].level, true);
    assert.equal(status(first), 0x58);
    assert.equal(lines[0].level, false, 'reading the status takes the interrupt back');
    assert.deepEqual(readData(first, 1024), diskFile.contents.slice(5 * 512, 7 * 512));
    assert.equal(status(first), 0x50);
    assert.equal(lines[0].edges, 2);
  });

  test('writes sectors and flushes', () => {
    const { first, diskFile } = setup();
    command(first, 0x30, [0, 1, 9, 0, 0, 0xe0]);
    for (let at = 0; at < 256; at++) first.commandBlock.write(0, 2, 0xa55a);
    assert.equal(status(first), 0x50);
    assert.deepEqual(
      diskFile.contents.slice(9 * 512, 9 * 512 + 4),
      Uint8Array.of(0x5a, 0xa5, 0x5a, 0xa5),
    );
    command(first, 0xe7);
    assert.equal(diskFile.flushes, 1);
  });

  test('takes addresses as cylinder, head and sector, and of 48 bits', () => {
    const { first, diskFile } = setup();
    command(first, 0x20, [0, 1, 3, 0, 0, 0xa1]); // head 1, sector 3
    assert.deepEqual(readData(first, 512), diskFile.contents.slice(65 * 512, 66 * 512));
    for (const [register, value] of [
      [2, 0],
      [3, 0],
      [4, 0],
      [5, 0],
      [2, 1],
      [3, 44],
      [4, 1],
      [5, 0],
    ] as const) {
      first.commandBlock.write(register, 1, value);
    }
    command(first, 0x24);
    assert.equal(status(first) & 0x01, 1, 'sector 300 is beyond the end');
    assert.equal(first.commandBlock.read(1, 1), 0x10);
    for (const [register, value] of [
      [3, 0],
      [3, 43],
    ] as const)
      first.commandBlock.write(register, 1, value);
    command(first, 0x24);
    assert.deepEqual(readData(first, 512), diskFile.contents.slice(299 * 512));
  });

  test('ends an unknown command with an error, and tells a failure of the medium', () => {
    const { first, diskFile } = setup();
    command(first, 0xfe);
    assert.equal(status(first) & 0x01, 1);
    assert.equal(first.commandBlock.read(1, 1), 0x04);
    diskFile.isBroken = true;
    command(first, 0x20, [0, 1, 0, 0, 0, 0xe0]);
    assert.equal(status(first) & 0x09, 0x01);
    assert.equal(first.commandBlock.read(1, 1), 0x40);
  });

  test('interrupts are silent while the host asks for that', () => {
    const { first, lines } = setup();
    first.controlBlock.write(0, 1, 0x02);
    command(first, 0xe7);
    assert.equal(lines[0].level, false);
    first.controlBlock.write(0, 1, 0x00);
    assert.equal(lines[0].level, true);
  });

  test('moves data by its bus master through a table of regions', () => {
    const { first, memory, diskFile, busMaster, lines } = setup();
    const table = new Uint32Array([0x2000, 700, 0x5000, 0x8000_0000 | 324]);
    memory.write(0x1000, new Uint8Array(table.buffer));
    busMaster.write(4, 4, 0x1000);
    command(first, 0xc8, [0, 2, 1, 0, 0, 0xe0]);
    assert.equal(lines[0].level, false, 'nothing moves before the engine is started');
    busMaster.write(0, 1, 0x09);
    assert.equal(lines[0].level, true);
    assert.equal(busMaster.read(2, 1) & 0x07, 0x04, 'interrupt, not active, no error');
    const [head, tail] = [new Uint8Array(700), new Uint8Array(324)];
    memory.read(0x2000, head);
    memory.read(0x5000, tail);
    assert.deepEqual(Uint8Array.from([...head, ...tail]), diskFile.contents.slice(512, 512 + 1024));
  });

  test('a region that is no memory is an error of the bus master', () => {
    const { first, busMaster } = setup();
    busMaster.write(4, 4, 0xf000_0000);
    command(first, 0xc8, [0, 1, 0, 0, 0, 0xe0]);
    busMaster.write(0, 1, 0x09);
    assert.equal(busMaster.read(2, 1) & 0x03, 0x02);
  });

  test('a place without a drive reads as an empty status', () => {
    const { first } = setup();
    first.commandBlock.write(6, 1, 0xb0);
    assert.equal(status(first), 0);
    command(first, 0xec);
    assert.equal(status(first), 0);
  });
});

describe('IDE: a CD-ROM', () => {
  test('is told from a disk by its signature', () => {
    const { second } = setup();
    command(second, 0xec, [0, 0, 0, 0, 0, 0xa0]);
    assert.equal(status(second) & 0x01, 1);
    assert.deepEqual(
      [second.commandBlock.read(4, 1), second.commandBlock.read(5, 1)],
      [0x14, 0xeb],
    );
    command(second, 0xa1);
    const words = new Uint16Array(readData(second, 512).buffer);
    assert.equal(words[0]! >> 8, 0x85);
  });

  test('reads blocks in pieces of the size that the host chose', () => {
    const { second, discFile, lines } = setup();
    packet(second, [0x28, 0, 0, 0, 0, 3, 0, 0, 2], 1024);
    let bytes: number[] = [];
    for (let piece = 0; piece < 4; piece++) {
      assert.equal(lines[1].level, true);
      assert.equal(status(second) & 0x08, 0x08);
      const count = second.commandBlock.read(4, 1) | (second.commandBlock.read(5, 1) << 8);
      assert.equal(count, 1024);
      bytes = [...bytes, ...readData(second, count)];
    }
    assert.equal(status(second) & 0x09, 0);
    assert.deepEqual(Uint8Array.from(bytes), discFile.contents.slice(3 * 2048, 5 * 2048));
  });

  test('tells its capacity', () => {
    const { second } = setup();
    packet(second, [0x25]);
    assert.deepEqual([...readData(second, 8)], [0, 0, 0, 19, 0, 0, 8, 0]);
  });

  test('answers a read beyond its end by CHECK CONDITION, whose reason can be asked for', () => {
    const { second } = setup();
    packet(second, [0x28, 0, 0, 0, 0, 20, 0, 0, 1]);
    assert.equal(status(second) & 0x01, 1);
    assert.equal(second.commandBlock.read(1, 1) >> 4, 5);
    packet(second, [0x03, 0, 0, 0, 18]);
    const sense = readData(second, 18);
    assert.deepEqual([sense[2], sense[12]], [5, 0x21]);
  });

  test('a restored drive goes on in the middle of a transfer', () => {
    const one = setup();
    packet(one.second, [0x28, 0, 0, 0, 0, 1, 0, 0, 1]);
    const head = readData(one.second, 100);
    const other = setup();
    other.disc.persist.restore(one.disc.persist.save());
    const tail = readData(other.second, 1948);
    assert.deepEqual(Uint8Array.from([...head, ...tail]), one.discFile.contents.slice(2048, 4096));
    assert.equal(status(other.second) & 0x09, 0);
  });
});
