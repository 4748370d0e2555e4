import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock, ProbeLine } from '../test-kit.fixture.ts';
import { PIT_FREQUENCY_HZ } from './channel.ts';
import { Pit8254 } from './pit-8254.ts';

function setup() {
  const clock = new HandClock();
  const line = new ProbeLine();
  const pit = new Pit8254({ clock, line });
  const read = (port: number) => pit.registers.read(port, 1);
  const write = (port: number, value: number) => pit.registers.write(port, 1, value);
  const program = (channel: number, mode: number, count: number) => {
    write(3, (channel << 6) | 0x30 | (mode << 1));
    write(channel, count & 0xff);
    write(channel, count >> 8);
  };
  const count = (channel: number) => {
    write(3, channel << 6);
    return read(channel) | (read(channel) << 8);
  };
  const ticks = (number: number) => clock.advance((number * 1e9) / PIT_FREQUENCY_HZ);
  return { clock, line, pit, read, write, program, count, ticks };
}

test('8254: mode 2 on counter 0 interrupts at its rate for ever', () => {
  const { clock, line, program } = setup();
  program(0, 2, 11932); // 100 Hz
  const before = line.edges;
  clock.advance(1e9);
  assert.equal(line.edges - before, 99, 'a period is a little longer than 10 ms');
  clock.advance(9e9 + 1e6);
  assert.equal(line.edges - before, 1000);
});

test('8254: mode 0 interrupts once, when the count has run out', () => {
  const { line, program, ticks } = setup();
  program(0, 0, 1000);
  assert.equal(line.level, false);
  ticks(999);
  assert.equal(line.level, false);
  ticks(2);
  assert.equal(line.level, true);
  ticks(200_000);
  assert.equal(line.edges, 1);
});

test('8254: a latched count stays while the counter runs on', () => {
  const { read, write, program, count, ticks } = setup();
  program(0, 2, 5000);
  ticks(1000.5);
  write(3, 0x00);
  ticks(500);
  assert.equal(read(0) | (read(0) << 8), 4000);
  assert.equal(count(0), 3500);
});

test('8254: the read-back command latches status and then count', () => {
  const { read, write, program, ticks } = setup();
  write(3, 0x36);
  write(3, 0xe2); // status of counter 0
  assert.equal(read(0), 0xf6, 'OUT high, null count, both bytes, mode 3');
  program(0, 3, 1000);
  ticks(100.5);
  write(3, 0xc2); // status and count
  assert.equal(read(0), 0xb6);
  assert.equal(read(0) | (read(0) << 8), 800, 'mode 3 counts by two');
});

test('8254: counter 2 is gated by port 0x61, which shows its output', () => {
  const { pit, program, ticks } = setup();
  const out = () => (pit.systemControl.read(0, 1) & 0x20) !== 0;
  pit.systemControl.write(0, 1, 0x00);
  program(2, 0, 2000);
  ticks(5000);
  assert.equal(out(), false, 'the gate holds the count');
  pit.systemControl.write(0, 1, 0x01);
  ticks(1500);
  pit.systemControl.write(0, 1, 0x00);
  ticks(5000);
  assert.equal(out(), false);
  pit.systemControl.write(0, 1, 0x01);
  ticks(501);
  assert.equal(out(), true);
  assert.equal(pit.systemControl.read(0, 1) & 0x0f, 0x01);
});

test('8254: modes 1 and 5 wait for the gate to rise', () => {
  const { pit, program, ticks } = setup();
  const out = () => (pit.systemControl.read(0, 1) & 0x20) !== 0;
  program(2, 1, 100);
  assert.equal(out(), true);
  pit.systemControl.write(0, 1, 0x01);
  assert.equal(out(), false);
  ticks(101);
  assert.equal(out(), true);
  pit.systemControl.write(0, 1, 0x00);
  program(2, 5, 100);
  pit.systemControl.write(0, 1, 0x01);
  ticks(100.5);
  assert.equal(out(), false, 'the strobe');
  ticks(1);
  assert.equal(out(), true);
});

test('8254: mode 3 is high for the longer half of an odd count', () => {
  const { pit, program, ticks } = setup();
  pit.systemControl.write(0, 1, 0x01);
  program(2, 3, 5);
  const levels = [];
  ticks(0.5);
  for (let tick = 0; tick < 10; tick++) {
    levels.push((pit.systemControl.read(0, 1) & 0x20) >> 5);
    ticks(1);
  }
  assert.deepEqual(levels, [1, 1, 1, 0, 0, 1, 1, 1, 0, 0]);
});

test('8254: BCD counts and single-byte access', () => {
  const { read, write, ticks } = setup();
  write(3, 0x15); // low byte only, mode 2, BCD
  write(0, 0x50);
  ticks(3.5);
  assert.equal(read(0), 0x47);
  write(3, 0x24); // high byte only, mode 2
  write(0, 0x10);
  ticks(0x101 + 0.5);
  assert.equal(read(0), 0x0e);
});
