import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AcpiPm } from './acpi-pm.ts';
import { HandClock, ProbeLine } from './test-kit.fixture.ts';

function setup(timerBits: 24 | 32 = 32) {
  const clock = new HandClock();
  const line = new ProbeLine();
  let shutdowns = 0;
  const pm = new AcpiPm({ clock, line, timerBits, onShutdown: () => shutdowns++ });
  return { clock, line, pm, bank: pm.registers, shutdowns: () => shutdowns };
}

test('ACPI PM: the timer counts at 3.579545 MHz, by 24 or 32 bits', () => {
  for (const [bits, expected] of [
    [32, 17_897_725],
    [24, 17_897_725 - 0x100_0000],
  ] as const) {
    const { clock, bank } = setup(bits);
    clock.advance(5e9);
    assert.equal(bank.read(8, 4), expected);
  }
});

test('ACPI PM: S5 needs its type and the enable bit, which reads as zero', () => {
  const { bank, shutdowns } = setup();
  bank.write(4, 2, 5 << 10);
  bank.write(4, 2, (3 << 10) | (1 << 13));
  assert.equal(shutdowns(), 0);
  bank.write(4, 2, (5 << 10) | (1 << 13));
  assert.equal(shutdowns(), 1);
  assert.equal(bank.read(4, 2), (5 << 10) | 1);
});

test('ACPI PM: the number of a PIIX4 switches off as well', () => {
  const { bank, shutdowns } = setup();
  bank.write(4, 2, 1 << 13);
  assert.equal(shutdowns(), 1);
});

test('ACPI PM: the power button raises the SCI until its status is cleared by a one', () => {
  const { line, pm, bank } = setup();
  pm.pressPowerButton();
  assert.equal(line.level, false);
  bank.write(2, 2, 0x0100);
  assert.equal(line.level, true);
  bank.write(0, 2, 0x0001);
  assert.equal(bank.read(0, 2), 0x0100);
  bank.write(1, 1, 0x01);
  assert.equal(line.level, false);
  assert.equal(bank.read(2, 2), 0x0100);
});

test('ACPI PM: the timer interrupts when its highest bit changes', () => {
  const { clock, line, bank } = setup(24);
  bank.write(2, 2, 0x0001);
  clock.advance(2.34e9);
  assert.equal(line.level, false);
  clock.advance(0.01e9); // 2^23 ticks are 2.3435 s
  assert.equal(line.level, true);
  bank.write(0, 2, 0x0001);
  assert.equal(line.level, false);
  clock.advance(2.35e9);
  assert.equal(line.level, true);
});
