import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ioapic } from './ioapic.ts';
import { APIC_BROADCAST, ApicBus } from './local-apic/mod.ts';

function setup() {
  const apicBus = new ApicBus();
  const messages: string[] = [];
  apicBus.add({
    processorPriority: 0,
    matches: (destination) => destination === 0 || destination === APIC_BROADCAST,
    accept: (mode, vector, level) => messages.push(`${mode} ${vector.toString(16)} ${level}`),
  });
  const ioapic = new Ioapic({ apicBus });
  const read = (index: number) => {
    ioapic.registers.write(0x00, 4, index);
    return ioapic.registers.read(0x10, 4);
  };
  const write = (index: number, value: number) => {
    ioapic.registers.write(0x00, 4, index);
    ioapic.registers.write(0x10, 4, value);
  };
  return { apicBus, ioapic, messages, read, write };
}

test('IOAPIC: it has version 0x20, 24 pins, and all are masked after reset', () => {
  const { read } = setup();
  assert.equal(read(0x01), 0x0017_0020);
  for (let pin = 0; pin < 24; pin++) assert.equal(read(0x10 + 2 * pin), 0x1_0000);
});

test('IOAPIC: an edge is delivered once and lost while masked', () => {
  const { ioapic, messages, write } = setup();
  const line = ioapic.line(4);
  line.set(true);
  line.set(false);
  write(0x18, 0x0_0024);
  assert.deepEqual(messages, []);
  line.set(true);
  line.set(true);
  assert.deepEqual(messages, ['0 24 false']);
});

test('IOAPIC: a level line stays asserted until EOI and is delivered again if still asserted', () => {
  const { apicBus, ioapic, messages, read, write } = setup();
  const line = ioapic.line(16);
  line.set(true);
  write(0x30, 0x0_a031); // unmasked while asserted
  assert.deepEqual(messages, ['0 31 true']);
  assert.equal(read(0x30) & 0x4000, 0x4000);
  line.set(false);
  line.set(true);
  assert.equal(messages.length, 1);
  apicBus.endOfInterrupt(0x31);
  assert.equal(messages.length, 2);
  line.set(false);
  ioapic.registers.write(0x40, 4, 0x31); // EOI register
  assert.equal(messages.length, 2);
  assert.equal(read(0x30) & 0x4000, 0);
});

test('IOAPIC: read-only bits keep, and switching to edge clears remote IRR', () => {
  const { ioapic, read, write } = setup();
  write(0x30, 0x0_d031);
  assert.equal(read(0x30), 0x0_8031);
  ioapic.line(16).set(true);
  write(0x30, 0x1_8031);
  assert.equal(read(0x30), 0x1_c031);
  write(0x30, 0x1_0031);
  assert.equal(read(0x30), 0x1_0031);
});

test('IOAPIC: destination 0xff means every APIC', () => {
  const { ioapic, messages, write } = setup();
  write(0x11, 0x0500_0000);
  write(0x10, 0x22);
  ioapic.line(0).set(true);
  assert.deepEqual(messages, []);
  ioapic.line(0).set(false);
  write(0x11, 0xff00_0000);
  ioapic.line(0).set(true);
  assert.deepEqual(messages, ['0 22 false']);
});
