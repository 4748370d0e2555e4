import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandClock } from '../test-kit.fixture.ts';
import { ApicBus, LocalApic } from './mod.ts';

const SVR = 0xf0;
const EOI = 0xb0;
const ICR_LOW = 0x300;
const ICR_HIGH = 0x310;
const LVT_TIMER = 0x320;
const LVT_LINT0 = 0x350;
const LVT_ERROR = 0x370;

function setup({ count = 1, enable = true } = {}) {
  const clock = new HandClock();
  const apicBus = new ApicBus();
  const log: string[] = [];
  const apics = Array.from({ length: count }, (_, id) => {
    const apic = new LocalApic({
      id,
      clock,
      apicBus,
      tscFrequencyHz: 2.5e9,
      readTsc: () => BigInt(Math.floor(clock.now() * 2.5)),
      acknowledgeExternal: () => 0x08,
      onWork: () => log.push(`work ${id}`),
      onInit: () => log.push(`init ${id}`),
      onStartup: (vector) => log.push(`startup ${id} ${vector}`),
    });
    if (enable) apic.registers.write(SVR, 4, 0x1ff);
    return apic;
  });
  const apic = apics[0] as LocalApic;
  const read = (offset: number) => apic.registers.read(offset, 4);
  const write = (offset: number, value: number) => apic.registers.write(offset, 4, value);
  const take = () => {
    assert.equal(apic.hasInterrupt(), true);
    return apic.acknowledge();
  };
  return { clock, apicBus, apics, apic, log, read, write, take };
}

test('local APIC: a periodic timer interrupts once a period and its count runs down', () => {
  const { clock, apic, read, write, take } = setup();
  write(0x3e0, 0x3); // divide by 16: one count is 16 ns of the 1 GHz input
  write(LVT_TIMER, 0x2_0040);
  write(0x380, 10_000);
  clock.advance(16_000);
  assert.equal(read(0x390), 9_000);
  assert.equal(apic.hasInterrupt(), false);
  for (let period = 0; period < 3; period++) {
    clock.advance(160_000);
    assert.equal(take(), 0x40);
    write(EOI, 0);
    assert.equal(apic.hasInterrupt(), false);
  }
  write(0x380, 0);
  clock.advance(1e9);
  assert.equal(apic.hasInterrupt(), false);
});

test('local APIC: a one-shot timer stops at zero', () => {
  const { clock, apic, read, write, take } = setup();
  write(0x3e0, 0xb);
  write(LVT_TIMER, 0x0_0041);
  write(0x380, 5_000);
  clock.advance(4_999);
  assert.equal(apic.hasInterrupt(), false);
  clock.advance(1);
  assert.equal(take(), 0x41);
  assert.equal(read(0x390), 0);
  write(EOI, 0);
  clock.advance(1e9);
  assert.equal(apic.hasInterrupt(), false);
});

test('local APIC: a TSC deadline fires when the counter reaches it and then reads zero', () => {
  const { clock, apic, write, take } = setup();
  apic.tscDeadline = 1n;
  assert.equal(apic.tscDeadline, 0n, 'ignored outside TSC-deadline mode');
  write(LVT_TIMER, 0x4_00ec);
  apic.tscDeadline = 2_500_000n; // 1 ms
  clock.advance(999_999);
  assert.equal(apic.hasInterrupt(), false);
  clock.advance(1);
  assert.equal(take(), 0xec);
  assert.equal(apic.tscDeadline, 0n);
  write(EOI, 0);
  apic.tscDeadline = 5n;
  assert.equal(apic.hasInterrupt(), true, 'a past deadline fires at once');
});

test('local APIC: higher vectors preempt, equal classes wait, CR8 masks', () => {
  const { apicBus, apic, write, take } = setup();
  const send = (vector: number) =>
    apicBus.send({ destination: 0, logical: false, mode: 0, vector, levelTriggered: false });
  send(0x41);
  send(0x42);
  assert.equal(take(), 0x42);
  assert.equal(apic.hasInterrupt(), false);
  send(0x51);
  assert.equal(take(), 0x51);
  write(EOI, 0);
  write(EOI, 0);
  apic.taskPriority = 4;
  assert.equal(apic.hasInterrupt(), false);
  apic.taskPriority = 3;
  assert.equal(take(), 0x41);
});

test('local APIC: the EOI of a level-triggered vector is broadcast, of an edge-triggered one is not', () => {
  const { apicBus, write, take } = setup();
  const heard: number[] = [];
  apicBus.onEndOfInterrupt((vector) => heard.push(vector));
  for (const levelTriggered of [true, false]) {
    const vector = levelTriggered ? 0x61 : 0x71;
    apicBus.send({ destination: 0, logical: false, mode: 0, vector, levelTriggered });
    assert.equal(take(), vector);
    write(EOI, 0);
  }
  assert.deepEqual(heard, [0x61]);
});

test('local APIC: the 8259 pair gets through when the APIC is disabled or LINT0 says ExtINT', () => {
  const { apic, write } = setup({ enable: false });
  apic.lint0.set(true);
  assert.equal(apic.hasInterrupt(), false, 'LINT0 is masked after reset');
  apic.enableVirtualWire();
  assert.equal(apic.hasInterrupt(), true);
  assert.equal(apic.acknowledge(), 0x08);
  write(LVT_LINT0, 0x1_0700);
  assert.equal(apic.hasInterrupt(), false);
  assert.equal(apic.writeApicBase(0xfee0_0100n), true);
  assert.equal(apic.hasInterrupt(), true);
  apic.lint0.set(false);
  assert.equal(apic.hasInterrupt(), false);
});

test('local APIC: IPIs reach by id, by shorthand and by logical flat mask', () => {
  const { apics, write } = setup({ count: 3 });
  const pending = () => apics.map((apic) => apic.hasInterrupt());
  write(ICR_HIGH, 2 << 24);
  write(ICR_LOW, 0x4050);
  assert.deepEqual(pending(), [false, false, true]);
  write(ICR_LOW, 0xc_4051);
  assert.deepEqual(pending(), [false, true, true]);
  for (const apic of apics) {
    while (apic.hasInterrupt()) {
      apic.acknowledge();
      apic.registers.write(EOI, 4, 0);
    }
    apic.registers.write(0xd0, 4, (1 << apic.id) << 24);
  }
  write(ICR_HIGH, 0x05 << 24);
  write(ICR_LOW, 0x4852);
  assert.deepEqual(pending(), [true, false, true]);
});

test('local APIC: INIT and start-up reach the other processor, NMI is taken once', () => {
  const { apics, log, write } = setup({ count: 2 });
  log.length = 0;
  write(ICR_HIGH, 1 << 24);
  write(ICR_LOW, 0xc500); // INIT, level, assert
  write(ICR_LOW, 0x8500); // INIT de-assert does nothing
  write(ICR_LOW, 0x0699);
  assert.deepEqual(log, ['init 1', 'startup 1 153']);
  write(ICR_LOW, 0x0400);
  assert.equal(apics[1]?.takeNmi(), true);
  assert.equal(apics[1]?.takeNmi(), false);
});

test('local APIC: a software-disabled APIC masks its entries and accepts no fixed interrupt', () => {
  const { apicBus, apic, read, write } = setup();
  write(LVT_TIMER, 0x40);
  write(SVR, 0xff);
  assert.equal(read(LVT_TIMER), 0x1_0040);
  apicBus.sendMsi(0xfee0_0000, 0x4031);
  assert.equal(apic.hasInterrupt(), false);
  write(SVR, 0x1ff);
  apicBus.sendMsi(0xfee0_0000, 0x4031);
  assert.equal(apic.hasInterrupt(), true);
});

test('local APIC: errors are latched by a write of ESR and interrupt through the error entry', () => {
  const { read, write, take } = setup();
  write(LVT_ERROR, 0xfe);
  write(ICR_LOW, 0x4_4005); // self IPI with an illegal vector
  assert.equal(take(), 0xfe);
  assert.equal(read(0x280), 0);
  write(0x280, 0);
  assert.equal(read(0x280), 0x20);
  write(0x280, 0);
  assert.equal(read(0x280), 0);
});

test('local APIC: x2APIC mode is entered and left by the legal transitions only', () => {
  const { apic, read } = setup();
  assert.equal(apic.readX2apic(0x02), undefined);
  assert.equal(apic.writeApicBase(0xfee0_0d00n), true);
  assert.equal(read(0x30), 0xffff_ffff, 'the page is not decoded');
  assert.equal(apic.readX2apic(0x03), 0x0105_0014n);
  assert.equal(apic.writeApicBase(0xfee0_0900n), false);
  assert.equal(apic.writeApicBase(0xfee0_0100n), true);
  assert.equal(apic.writeApicBase(0xfee0_0d00n), false);
  assert.equal(apic.writeApicBase(0xfee0_0900n), true);
  assert.equal(apic.writeApicBase(0xfee0_0901n), false);
  assert.equal(apic.writeApicBase(1n << 60n), false);
});

test('local APIC: x2APIC registers fault where the manual says', () => {
  const { apics, apic } = setup({ count: 2 });
  for (const each of apics) {
    each.writeApicBase(each.readApicBase() | 0xc00n);
    each.writeX2apic(0x0f, 0x1ffn);
  }
  assert.equal(apic.readX2apic(0x0d), 0x1n);
  assert.equal(apics[1]?.readX2apic(0x0d), 0x2n);
  assert.equal(apic.writeX2apic(0x0b, 1n), false);
  assert.equal(apic.readX2apic(0x0b), undefined);
  assert.equal(apic.readX2apic(0x0e), undefined);
  assert.equal(apic.writeX2apic(0x08, 0x100n), false);
  assert.equal(apic.writeX2apic(0x02, 0n), false);
  assert.equal(apic.writeX2apic(0x30, (1n << 32n) | 0x4060n), true);
  assert.equal(apics[1]?.acknowledge(), 0x60);
  assert.equal(apic.writeX2apic(0x3f, 0x61n), true);
  assert.equal(apic.acknowledge(), 0x61);
  assert.equal(apic.writeX2apic(0x30, (0x3n << 32n) | 0x4872n), true, 'logical: cluster 0, both');
  assert.deepEqual(
    apics.map((each) => each.hasInterrupt()),
    [true, true],
  );
});
