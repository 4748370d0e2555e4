import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, seededRandom } from './test-kit.fixture.ts';
import { TimerQueue } from './timer-queue.ts';

test('timers fire in the order of their deadlines, once', () => {
  const clock = new FakeClock();
  const queue = new TimerQueue(clock);
  const fired: string[] = [];
  for (const [name, deadline] of [
    ['c', 30],
    ['a', 10],
    ['b', 20],
  ] as const) {
    queue.timer(() => fired.push(name)).arm(deadline);
  }
  clock.pass(25);
  assert.deepEqual(fired, ['a', 'b']);
  clock.pass(100);
  assert.deepEqual(fired, ['a', 'b', 'c']);
});

test('a timer put off, cancelled or brought forward fires by its last deadline', () => {
  const clock = new FakeClock();
  const queue = new TimerQueue(clock);
  const fired: [string, number][] = [];
  const named = (name: string) => queue.timer(() => fired.push([name, clock.now()]));
  const [late, never, early] = [named('late'), named('never'), named('early')];
  late.arm(10);
  late.arm(50);
  never.arm(20);
  never.cancel();
  early.arm(90);
  early.arm(5);
  clock.pass(200);
  assert.deepEqual(fired, [
    ['early', 5],
    ['late', 50],
  ]);
});

test('a timer may arm itself and others while it fires', () => {
  const clock = new FakeClock();
  const queue = new TimerQueue(clock);
  let count = 0;
  const timer = queue.timer(() => {
    if (++count < 5) timer.arm(clock.now() + 10);
  });
  timer.arm(10);
  clock.pass(1000);
  assert.equal(count, 5);
});

test('a closed queue fires nothing, and leaves no alarm behind that would keep a process alive', () => {
  const clock = new FakeClock();
  const queue = new TimerQueue(clock);
  const fired: string[] = [];
  const early = queue.timer(() => fired.push('early'));
  early.arm(10);
  queue.close();
  early.arm(20);
  queue.timer(() => fired.push('late')).arm(30);
  clock.pass(100);
  assert.deepEqual(fired, []);
  assert.equal(clock.next, Number.POSITIVE_INFINITY);
});

test('thousands of timers that are put off again and again take one place each', () => {
  const clock = new FakeClock();
  const queue = new TimerQueue(clock);
  const random = seededRandom(5);
  let fired = 0;
  const timers = Array.from({ length: 2000 }, () => queue.timer(() => fired++));
  for (let round = 0; round < 20; round++) {
    for (const timer of timers) timer.arm(clock.now() + 1000 + Math.floor(random() * 1000));
    clock.pass(100);
  }
  assert.ok(queue.size <= 4000, `${queue.size} places`);
  clock.pass(5000);
  assert.equal(fired, 2000);
  assert.equal(queue.size, 0);
});
