import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FramePool, GuestMemory, PAGE_BYTES } from './mod.ts';

const RAM = 4 * PAGE_BYTES;
const REACH = 64 * PAGE_BYTES;
const page = (number: number) => number * PAGE_BYTES;

function setup(options?: { readOnly: boolean }) {
  const capacity = GuestMemory.poolBytes(RAM) + 4 * PAGE_BYTES;
  const pool = new FramePool(capacity, { shared: false });
  const memory = new GuestMemory(pool, [{ start: 0, bytes: RAM }], REACH);
  let changes = 0;
  memory.releaseListener = () => changes++;
  return { memory, device: memory.addDeviceMemory(page(2), options), changes: () => changes };
}

function byteAt(memory: GuestMemory, gpa: number): number {
  const byte = new Uint8Array(1);
  memory.read(gpa, byte);
  return byte[0] as number;
}

test('device memory is seen where the device says, and nowhere else', () => {
  const { memory, device, changes } = setup();
  device.bytes[page(1)] = 7;
  assert.equal(memory.isRam(10), false);
  device.moveTo(page(10));
  assert.equal(byteAt(memory, page(11)), 7);
  memory.write(page(11) + 1, Uint8Array.of(8));
  assert.equal(device.bytes[page(1) + 1], 8);
  device.moveTo(page(20));
  assert.equal(byteAt(memory, page(21)), 7);
  assert.throws(() => byteAt(memory, page(11)), { code: 'guest-address' });
  device.moveTo(undefined);
  assert.equal(memory.frameForRead(21), -1);
  assert.equal(changes(), 3, 'whoever remembers frames is told of every move');
});

test('where there is RAM, or beyond reach, device memory is not seen, and RAM is as it was', () => {
  const { memory, device } = setup();
  memory.write(page(3), Uint8Array.of(1));
  device.bytes.fill(9);
  device.moveTo(page(3));
  assert.deepEqual([byteAt(memory, page(3)), byteAt(memory, page(4))], [1, 9]);
  device.moveTo(undefined);
  assert.equal(byteAt(memory, page(3)), 1);
  assert.equal(memory.isRam(4), false);
  device.moveTo(REACH - PAGE_BYTES);
  assert.equal(byteAt(memory, REACH - 1), 9);
  assert.equal(memory.isRam(REACH / PAGE_BYTES), false);
});

test('read-only memory can be read, not written', () => {
  const { memory, device } = setup({ readOnly: true });
  device.bytes[5] = 3;
  device.moveTo(page(8));
  assert.notEqual(memory.frameForRead(8), -1);
  assert.equal(memory.frameForWrite(8), -1);
  memory.write(page(8) + 5, Uint8Array.of(4));
  memory.write32(page(8) + 4, 0xffff_ffff);
  assert.equal(byteAt(memory, page(8) + 5), 3);
});

test('a device takes its memory out of the readers’ sight and back', () => {
  const { memory, device } = setup({ readOnly: true });
  device.moveTo(page(8));
  device.readable = false;
  assert.equal(memory.frameForRead(8), -1);
  device.readable = true;
  assert.notEqual(memory.frameForRead(9), -1);
});

test('the guest cannot give memory of a device back', () => {
  const { memory, device } = setup();
  device.moveTo(page(8));
  device.bytes[0] = 1;
  assert.equal(memory.release(page(8), page(2)), 0);
  assert.equal(byteAt(memory, page(8)), 1);
});

test('code that was translated from device memory is told of changes', () => {
  const { memory, device } = setup();
  device.moveTo(page(8));
  const told: number[][] = [];
  memory.codeWriteListener = (...what) => told.push(what);
  const frame = memory.frameForRead(9);
  device.changed(page(1) - 2, 4);
  assert.deepEqual(told, []);
  memory.setCode(frame, true);
  device.changed(page(1) - 2, 4);
  assert.deepEqual(told, [[frame, 0, 2]]);
});
