import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NorFlash } from './mod.ts';

const BLOCK = 4096;

function setup() {
  const bytes = new Uint8Array(4 * BLOCK).map((_, index) => index % 251);
  const memory = { bytes, readable: true, changed: () => {} };
  const changes: [number, number][] = [];
  const onChange = (offset: number, count: number) => changes.push([offset, count]);
  const flash = new NorFlash({ name: 'flash', memory, blockBytes: BLOCK, onChange });
  const write = (offset: number, ...values: number[]) => {
    for (const value of values) flash.registers.write(offset, 1, value);
  };
  return {
    flash,
    memory,
    bytes,
    changes,
    write,
    read: (at: number) => flash.registers.read(at, 1),
  };
}

test('flash: what firmware does to tell it from RAM and ROM', () => {
  const { memory, write, read } = setup();
  const before = read(5);
  write(5, 0x50);
  assert.equal(read(5), before, 'clearing the status shows the array');
  write(5, 0x70);
  assert.equal(memory.readable, false);
  assert.equal(read(5), 0x00, 'the status is clear');
  write(5, 0xff);
  assert.equal(memory.readable, true);
  assert.equal(read(5), before);
});

test('flash: bytes are programmed, and can only lose bits', () => {
  const { bytes, write, read, changes } = setup();
  bytes[10] = 0xff;
  write(10, 0x10, 0x5a);
  assert.equal(read(10), 0x80, 'ready');
  write(10, 0x40, 0x0f, 0xff);
  assert.equal(bytes[10], 0x0a);
  assert.deepEqual(changes, [
    [10, 1],
    [10, 1],
  ]);
});

test('flash: a block is erased after a confirmation, and not without', () => {
  const { bytes, write, read, changes } = setup();
  write(BLOCK + 7, 0x20, 0xd0, 0xff);
  assert.ok(bytes.subarray(BLOCK, 2 * BLOCK).every((byte) => byte === 0xff));
  assert.notEqual(bytes[BLOCK - 1], 0xff);
  assert.notEqual(bytes[2 * BLOCK], 0xff);
  assert.deepEqual(changes, [[BLOCK, BLOCK]]);
  write(0, 0x50, 0x20, 0xff, 0x70);
  assert.equal(read(0), 0xb0);
  assert.notEqual(bytes[0], 0xff);
});

test('flash: a write to the buffer', () => {
  const { bytes, write, read } = setup();
  bytes.fill(0xff, 0, 64);
  write(0, 0xe8);
  assert.equal(read(0) & 0x80, 0x80);
  write(0, 1);
  write(3, 0x12);
  write(4, 0x34);
  write(0, 0xd0);
  assert.equal(read(0), 0x80);
  assert.deepEqual([...bytes.subarray(2, 6)], [0xff, 0x12, 0x34, 0xff]);
});

test('flash: identifier and query', () => {
  const { write, read } = setup();
  write(0, 0x90);
  assert.deepEqual([read(0), read(1), read(2)], [0x89, 0x18, 0]);
  write(0, 0x98);
  assert.equal(String.fromCharCode(read(0x10), read(0x11), read(0x12)), 'QRY');
  assert.equal(1 << read(0x27), 4 * BLOCK);
  assert.equal((read(0x2d) | (read(0x2e) << 8)) + 1, 4, 'blocks');
  assert.equal((read(0x2f) | (read(0x30) << 8)) * 256, BLOCK);
});

test('flash: a saved chip answers as before', () => {
  const one = setup();
  one.write(0, 0x50, 0x70);
  const other = setup();
  other.flash.persist.restore(one.flash.persist.save());
  assert.equal(other.memory.readable, false);
  assert.equal(other.read(0), 0);
  other.flash.reset();
  assert.equal(other.memory.readable, true);
  assert.equal(other.read(9), 9);
});
