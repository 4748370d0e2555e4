import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteRing } from './byte-ring.ts';

function ring(capacity: number, counter = 0): ByteRing {
  const words = new Int32Array(new SharedArrayBuffer(8)).fill(counter);
  return new ByteRing(new Uint8Array(new SharedArrayBuffer(capacity)), words, 0, 1);
}

test('ByteRing: bytes come out in order across the end of the buffer', () => {
  const queue = ring(8);
  let next = 0;
  let expected = 0;
  for (let round = 0; round < 100; round++) {
    const source = Uint8Array.from({ length: 5 }, (_, index) => (next + index) & 0xff);
    next += queue.write(source);
    const seen = queue.peek(3);
    for (const byte of seen) assert.equal(byte, expected++ & 0xff);
    queue.skip(seen.length);
  }
  assert.ok(expected > 250);
});

test('ByteRing: a full ring takes no more and loses nothing', () => {
  const queue = ring(4);
  assert.equal(queue.write(Uint8Array.of(1, 2, 3, 4, 5, 6)), 4);
  assert.equal(queue.write(Uint8Array.of(7)), 0);
  assert.deepEqual([...queue.peek(9)], [1, 2, 3, 4]);
  queue.skip(2);
  assert.equal(queue.write(Uint8Array.of(7, 8, 9)), 2);
  assert.deepEqual([...queue.peek(9)], [3, 4, 7, 8]);
});

test('ByteRing: the counters may wrap at 2^32', () => {
  const queue = ring(8, -3);
  for (const start of [10, 20, 30]) {
    assert.equal(queue.write(Uint8Array.of(start, start + 1, start + 2)), 3);
    assert.equal(queue.length, 3);
    assert.deepEqual([...queue.peek(8)], [start, start + 1, start + 2]);
    queue.skip(3);
  }
});
