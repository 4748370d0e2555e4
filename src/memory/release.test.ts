import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FramePool, GuestMemory, PAGE_BYTES } from './mod.ts';

const PAGES = 16;
function setup() {
  const pool = new FramePool(GuestMemory.poolBytes(PAGES * PAGE_BYTES), { shared: false });
  return new GuestMemory(pool, [{ start: 0, bytes: PAGES * PAGE_BYTES }]);
}
const page = (number: number) => number * PAGE_BYTES;
function firstByte(memory: GuestMemory, number: number): number {
  const byte = new Uint8Array(1);
  memory.read(page(number), byte);
  return byte[0] as number;
}

test('a page that is given back reads as zero, and its frame is used again before fresh ones', () => {
  const memory = setup();
  for (let number = 0; number < 8; number++) memory.write(page(number), Uint8Array.of(number + 1));
  assert.equal(memory.release(page(2), 3 * PAGE_BYTES), 3);
  assert.equal(memory.framesInUse, 5);
  for (let number = 0; number < 8; number++) {
    assert.equal(firstByte(memory, number), number >= 2 && number < 5 ? 0 : number + 1);
  }
  for (let number = 8; number < 11; number++) memory.write(page(number), Uint8Array.of(number + 1));
  assert.equal(memory.framesTouched, 8);
  assert.equal(memory.framesInUse, 8);
});

test('whole pages alone are given back, and those that have a frame', () => {
  const memory = setup();
  memory.write(0, new Uint8Array(4 * PAGE_BYTES).fill(9));
  assert.equal(memory.release(1, 2 * PAGE_BYTES), 1);
  assert.equal(memory.release(page(1), PAGE_BYTES), 0, 'it was given back already');
  assert.equal(memory.release(page(PAGES - 1), 100 * PAGE_BYTES), 0);
  assert.equal(memory.release(2 ** 45, PAGE_BYTES), 0);
  assert.equal(firstByte(memory, 0), 9);
  assert.equal(firstByte(memory, 1), 0);
});

test('in whatever order pages come and go, each has a frame of its own', () => {
  const memory = setup();
  const model = new Map<number, number>();
  let state = 12345;
  const random = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
  for (let step = 0; step < 5000; step++) {
    const number = random(PAGES);
    if (random(3) === 0) {
      memory.release(page(number), PAGE_BYTES);
      model.delete(number);
    } else {
      const value = 1 + random(255);
      memory.write(page(number), Uint8Array.of(value));
      model.set(number, value);
    }
    assert.equal(memory.framesInUse, model.size);
    const one = random(PAGES);
    assert.equal(firstByte(memory, one), model.get(one) ?? 0);
  }
  const frames = new Set<number>();
  for (let number = 0; number < PAGES; number++) frames.add(memory.frameForWrite(number));
  assert.equal(frames.size, PAGES);
});

test('the listeners hear of code that goes, and once of all releases', () => {
  const memory = setup();
  const code: number[] = [];
  let releases = 0;
  memory.codeWriteListener = (frame, offset, bytes) => code.push(frame, offset, bytes);
  memory.releaseListener = () => releases++;
  const frame = memory.frameForWrite(3);
  memory.setCode(frame, true);
  memory.frameForWrite(4);
  memory.settleReleases();
  assert.equal(releases, 0);
  memory.release(page(3), PAGE_BYTES);
  memory.release(page(4), PAGE_BYTES);
  memory.settleReleases();
  memory.settleReleases();
  assert.equal(releases, 1);
  assert.deepEqual(code, [frame, 0, PAGE_BYTES]);
});
