import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FramePool, GuestMemory, PAGE_BYTES } from '../memory/mod.ts';
import { BlockTransfer } from './block-transfer.ts';
import { type GuestBuffer, GuestBuffers } from './guest-buffers.ts';
import { MemoryDisk } from './memory-disk.fixture.ts';

const RAM_BYTES = 4 * 2 ** 20;
const DISK_BYTES = 2 ** 20;

/** A disk that remembers how it was asked. */
class CountedDisk extends MemoryDisk {
  readonly calls: number[] = [];
  override read(offset: number, target: Uint8Array): void {
    this.calls.push(target.length);
    super.read(offset, target);
  }
  override write(offset: number, source: Uint8Array): void {
    this.calls.push(source.length);
    super.write(offset, source);
  }
}

function setup() {
  const pool = new FramePool(GuestMemory.poolBytes(RAM_BYTES) + 2 ** 20);
  const memory = new GuestMemory(pool, [{ start: 0, bytes: RAM_BYTES }]);
  const disk = new CountedDisk(DISK_BYTES);
  for (let at = 0; at < DISK_BYTES; at += 4) {
    disk.contents.set(Uint8Array.of(at, at >> 8, at >> 16, at * 7), at);
  }
  const buffers = (pieces: readonly GuestBuffer[]) => new GuestBuffers(memory, pieces);
  return { memory, disk, buffers, transfer: new BlockTransfer(disk) };
}

/** Pages in an order in which no two follow each other. */
function scattered(pages: number): GuestBuffer[] {
  return Array.from({ length: pages }, (_, i) => ({
    gpa: PAGE_BYTES * (2 * (pages - i)),
    bytes: PAGE_BYTES,
  }));
}

function contentsOf(memory: GuestMemory, pieces: readonly GuestBuffer[]): Uint8Array {
  const parts = pieces.map(({ gpa, bytes }) => {
    const part = new Uint8Array(bytes);
    memory.read(gpa, part);
    return part;
  });
  return Buffer.concat(parts);
}

describe('transfers between disks and guest memory', () => {
  test('what lies in a row takes one call, however it is described', () => {
    const { memory, disk, buffers, transfer } = setup();
    const pieces = Array.from({ length: 100 }, (_, i) => ({
      gpa: 0x10_0000 + i * PAGE_BYTES,
      bytes: PAGE_BYTES,
    }));
    transfer.read(512, buffers(pieces), 0, 100 * PAGE_BYTES);
    assert.deepEqual(disk.calls, [100 * PAGE_BYTES]);
    assert.deepEqual(
      Buffer.from(contentsOf(memory, pieces)),
      Buffer.from(disk.contents.subarray(512, 512 + 100 * PAGE_BYTES)),
    );
    transfer.write(0x2000, buffers(pieces), 16, 99 * PAGE_BYTES);
    assert.deepEqual(disk.calls, [100 * PAGE_BYTES, 99 * PAGE_BYTES]);
  });

  test('scattered pages share calls, before, between and behind what lies in a row', () => {
    const { memory, disk, buffers, transfer } = setup();
    const row = { gpa: 0x20_0000, bytes: 16 * PAGE_BYTES };
    const pieces = [
      ...scattered(5),
      row,
      ...scattered(4).map(({ gpa }) => ({ gpa: gpa + 0x30_0000, bytes: 100 })),
    ];
    const bytes = 21 * PAGE_BYTES + 400;
    transfer.read(3 * 512, buffers(pieces), 0, bytes);
    assert.deepEqual(disk.calls, [5 * PAGE_BYTES, 16 * PAGE_BYTES, 400]);
    const expected = disk.contents.slice(3 * 512, 3 * 512 + bytes);
    assert.deepEqual(Buffer.from(contentsOf(memory, pieces)), Buffer.from(expected));
    transfer.write(0, buffers(pieces), 0, bytes);
    assert.deepEqual(Buffer.from(disk.contents.subarray(0, bytes)), Buffer.from(expected));
  });

  test('a stretch that frames interrupt is taken apart', () => {
    const { memory, disk, buffers, transfer } = setup();
    // The frames of two pages change places.
    for (const page of [0x100, 0x108]) memory.write(page * PAGE_BYTES, Uint8Array.of(1));
    memory.release(0x100 * PAGE_BYTES, PAGE_BYTES);
    memory.release(0x108 * PAGE_BYTES, PAGE_BYTES);
    memory.settleReleases();
    memory.write(0x100 * PAGE_BYTES, Uint8Array.of(1));
    memory.write(0x108 * PAGE_BYTES, Uint8Array.of(1));
    const pieces = [{ gpa: 0x100 * PAGE_BYTES, bytes: 64 * PAGE_BYTES }];
    transfer.read(0, buffers(pieces), 0, 64 * PAGE_BYTES);
    assert.deepEqual(
      disk.calls,
      [1, 7, 1, 55].map((pages) => pages * PAGE_BYTES),
    );
    const expected = Buffer.from(disk.contents.subarray(0, 64 * PAGE_BYTES));
    assert.deepEqual(Buffer.from(contentsOf(memory, pieces)), expected);
  });

  test('code that is read over is forgotten, page by page', () => {
    const { memory, buffers, transfer } = setup();
    const gpa = 0x10_0000;
    const frame = memory.frameForWrite(gpa / PAGE_BYTES + 3);
    memory.setCode(frame, true);
    const told: number[][] = [];
    memory.codeWriteListener = (...where) => told.push(where);
    const data = buffers([{ gpa: gpa + 512, bytes: 8 * PAGE_BYTES }]);
    transfer.read(0, data, 0, 8 * PAGE_BYTES);
    assert.deepEqual(told, [[frame, 0, PAGE_BYTES]]);
    transfer.write(0, data, 0, 8 * PAGE_BYTES);
    assert.equal(told.length, 1);
  });

  test('memory that is read-only keeps what it has', () => {
    const { memory, disk, buffers, transfer } = setup();
    memory.setReadOnly(memory.frameForWrite(0x102));
    const pieces = [{ gpa: 0x100 * PAGE_BYTES, bytes: 16 * PAGE_BYTES }];
    transfer.read(0, buffers(pieces), 0, 16 * PAGE_BYTES);
    const expected = disk.contents
      .slice(0, 16 * PAGE_BYTES)
      .fill(0, 2 * PAGE_BYTES, 3 * PAGE_BYTES);
    assert.deepEqual(Buffer.from(contentsOf(memory, pieces)), Buffer.from(expected));
  });
});
