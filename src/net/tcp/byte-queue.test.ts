import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pattern, seededRandom } from '../test-kit.fixture.ts';
import { ByteQueue } from './byte-queue.ts';
import { OutOfOrder } from './out-of-order.ts';

test('a byte queue gives back what was put in, at any distance from its front', () => {
  const queue = new ByteQueue();
  const random = seededRandom(3);
  let pushed = 0;
  let skipped = 0;
  for (let step = 0; step < 5000; step++) {
    const bytes = Math.floor(random() * 3000);
    queue.push(pattern(bytes, pushed));
    pushed += bytes;
    const drop = Math.floor(random() * Math.min(queue.length, 3200));
    queue.skip(drop);
    skipped += drop;
    assert.equal(queue.length, pushed - skipped);
    const from = Math.floor(random() * queue.length);
    const count = Math.floor(random() * (queue.length - from));
    const target = new Uint8Array(count + 2);
    queue.copy(from, count, target, 1);
    assert.ok(Buffer.from(target.subarray(1, 1 + count)).equals(pattern(count, skipped + from)));
    assert.equal(target[0], 0);
    assert.equal(target[count + 1], 0);
  }
});

test('an empty byte queue takes next to no memory', () => {
  const queue = new ByteQueue();
  assert.equal(queue.capacity, 0);
  queue.push(pattern(100_000));
  queue.skip(100_000);
  assert.equal(queue.capacity, 0);
  queue.push(pattern(10));
  assert.equal(queue.capacity, 4096);
  queue.clear();
  assert.equal(queue.capacity, 0);
});

test('queues that take over each other’s memory do not mix their bytes', () => {
  const random = seededRandom(5);
  const queues = Array.from({ length: 8 }, () => ({ queue: new ByteQueue(), pushed: 0, from: 0 }));
  for (let step = 0; step < 4000; step++) {
    const one = queues[Math.floor(random() * queues.length)] as (typeof queues)[number];
    const bytes = Math.floor(random() ** 3 * 40_000);
    one.queue.push(pattern(bytes, one.pushed));
    one.pushed += bytes;
    const all = new Uint8Array(one.queue.length);
    one.queue.copy(0, all.length, all, 0);
    assert.ok(Buffer.from(all).equals(pattern(all.length, one.from)));
    const drop = random() < 0.7 ? all.length : Math.floor(random() * all.length);
    one.queue.skip(drop);
    one.from += drop;
  }
});

test('pieces out of order come out in order, whatever their overlaps', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seededRandom(seed * 31);
    const pieces = new OutOfOrder();
    const base = 0xffff_ff00; // wraps
    const length = 2000;
    let received = 0;
    for (let step = 0; received < length; step++) {
      assert.ok(step < 100_000);
      const from = Math.floor(random() * length);
      const bytes = Math.min(1 + Math.floor(random() * 200), length - from);
      pieces.add((base + from) >>> 0, pattern(bytes, from));
      if (random() < 0.05 || step > 200) {
        pieces.add((base + received) >>> 0, pattern(Math.min(50, length - received), received));
      }
      for (;;) {
        const next = pieces.take((base + received) >>> 0);
        if (next === undefined) break;
        assert.ok(Buffer.from(next).equals(pattern(next.length, received)));
        received += next.length;
      }
    }
    assert.equal(received, length);
  }
});

test('the blocks of a selective acknowledgement are the runs, the latest first', () => {
  const pieces = new OutOfOrder();
  pieces.add(100, pattern(10));
  pieces.add(110, pattern(10));
  pieces.add(200, pattern(10));
  pieces.add(300, pattern(10));
  pieces.add(205, pattern(10));
  assert.deepEqual(pieces.blocks(3), [
    [200, 215],
    [100, 120],
    [300, 310],
  ]);
  assert.deepEqual(pieces.blocks(1), [[200, 215]]);
});

test('so many pieces are kept, and no more', () => {
  const pieces = new OutOfOrder();
  for (let at = 1; at < 5000; at += 2) pieces.add(at, pattern(1));
  assert.ok(pieces.length <= 512);
});
