import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock, ProbeLine } from '../test-kit.fixture.ts';
import { Rtc } from './rtc.ts';

function setup(start = Date.UTC(2026, 10, 22, 23, 59, 58)) {
  const clock = new HandClock(start);
  const line = new ProbeLine();
  const rtc = new Rtc({ clock, line, memory: { 16: 0x40 } });
  const read = (index: number) => {
    rtc.registers.write(0, 1, index);
    return rtc.registers.read(1, 1);
  };
  const write = (index: number, value: number) => {
    rtc.registers.write(0, 1, index);
    rtc.registers.write(1, 1, value);
  };
  const time = () => [0x32, 9, 8, 7, 4, 2, 0].map((index) => read(index).toString(16));
  return { clock, line, rtc, read, write, time };
}
const SECOND = 1e9;

test('RTC: the time is the clock’s, in BCD and 24 hours, and rolls over', () => {
  const { clock, time, read } = setup();
  assert.deepEqual(time(), ['20', '26', '11', '22', '23', '59', '58']);
  assert.equal(read(6), 1, 'a Sunday');
  clock.advance(2 * SECOND);
  assert.deepEqual(time(), ['20', '26', '11', '23', '0', '0', '0']);
  assert.equal(read(0x0d), 0x80);
});

test('RTC: binary and 12-hour formats', () => {
  const { read, write } = setup();
  write(0x0b, 0x04);
  assert.equal(read(0), 58);
  assert.equal(read(4), 0x80 | 11);
  write(0x0b, 0x00);
  assert.equal(read(4), 0x80 | 0x11);
});

test('RTC: a guest sets the time as Linux does, and the next second comes after half a second', () => {
  const { clock, read, write, time } = setup();
  clock.advance(0.3 * SECOND);
  const [a, b] = [read(0x0a) & 0x7f, read(0x0b)];
  write(0x0b, b | 0x80);
  write(0x0a, a | 0x70);
  const fields = [
    [0, 0x10],
    [2, 0x20],
    [4, 0x03],
    [7, 0x29],
    [8, 0x02],
    [9, 0x28],
    [0x32, 0x20],
  ];
  for (const [index, value] of fields as [number, number][]) write(index, value);
  write(0x0b, b);
  write(0x0a, a);
  assert.deepEqual(time(), ['20', '28', '2', '29', '3', '20', '10']);
  clock.advance(0.49 * SECOND);
  assert.equal(read(0), 0x10);
  clock.advance(0.02 * SECOND);
  assert.equal(read(0), 0x11);
});

test('RTC: update in progress shows just before the second changes', () => {
  const { clock, read } = setup();
  assert.equal(read(0x0a) & 0x80, 0);
  clock.advance(0.9999 * SECOND);
  assert.equal(read(0x0a) & 0x80, 0x80);
  clock.advance(0.0001 * SECOND);
  assert.equal(read(0x0a) & 0x80, 0);
});

test('RTC: the periodic interrupt comes at its rate once register C is read', () => {
  const { clock, line, read, write } = setup();
  write(0x0a, 0x26); // 1024 Hz
  write(0x0b, 0x42);
  let interrupts = 0;
  for (let step = 0; step < 10_000; step++) {
    clock.advance(1e5);
    if (!line.level) continue;
    interrupts++;
    assert.equal(read(0x0c) & 0xc0, 0xc0);
    assert.equal(line.level, false);
  }
  assert.ok(Math.abs(interrupts - 1024) <= 1, `${interrupts}`);
});

test('RTC: the update interrupt comes at the turn of the second', () => {
  const { clock, line, read, write } = setup();
  read(0x0c);
  write(0x0b, 0x12);
  clock.advance(SECOND - 1);
  assert.equal(line.level, false);
  clock.advance(2);
  assert.equal(line.level, true);
  assert.equal(read(0x0c) & 0xbf, 0x90);
  assert.equal(read(0x0c), 0);
});

test('RTC: the alarm matches its fields, and 0xc0 means any', () => {
  const { clock, line, read, write } = setup();
  write(5, 0xff);
  write(3, 0x01);
  write(1, 0x30);
  write(0x0b, 0x22);
  clock.advance(91.5 * SECOND);
  assert.equal(line.level, false);
  clock.advance(1 * SECOND);
  assert.equal(line.level, true);
  assert.equal(read(0x0c) & 0xa0, 0xa0);
  clock.advance(3599 * SECOND);
  assert.equal(line.level, false);
  clock.advance(1 * SECOND);
  assert.equal(line.level, true);
});

test('RTC: flags are there for a guest that polls with all interrupts off', () => {
  const { clock, line, read } = setup();
  read(0x0c);
  clock.advance(1.5 * SECOND);
  assert.equal(read(0x0c) & 0x50, 0x50);
  assert.equal(line.edges, 0);
});

test('RTC: memory keeps what is written, and reset keeps memory and time', () => {
  const { clock, line, rtc, read, write, time } = setup();
  assert.equal(read(0x10), 0x40);
  write(0x7f, 0xa5);
  write(4, 0x12);
  write(0x0b, 0x52);
  clock.advance(2 * SECOND);
  assert.equal(line.level, true);
  rtc.reset();
  assert.equal(line.level, false);
  assert.equal(read(0x7f), 0xa5);
  assert.deepEqual(time().slice(4), ['13', '0', '0']);
});
