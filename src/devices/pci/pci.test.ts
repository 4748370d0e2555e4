import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bus, type RegisterBank } from '../../bus/mod.ts';
import { ProbeLine } from '../test-kit.fixture.ts';
import { assignPciResources } from './assign-resources.ts';
import { PciFunction } from './function.ts';
import { PciHost } from './host.ts';

/** Answers every read with `value`. */
const constant = (value: number): RegisterBank => ({ read: () => value, write() {} });

function setup() {
  const ioBus = new Bus('io');
  const memoryBus = new Bus('memory');
  const lines = [0, 1, 2, 3].map(() => new ProbeLine());
  const resets: number[] = [];
  const host = new PciHost({
    ioBus,
    memoryBus,
    interruptLines: lines,
    resetPort: { read: () => 0x5a, write: (_offset, _size, value) => resets.push(value) },
  });
  ioBus.map(0xcf8, 8, host.registers);
  memoryBus.map(0xe000_0000, 0x10_0000, host.ecam);
  const card = new PciFunction({
    name: 'card',
    vendorId: 0x1af4,
    deviceId: 0x1042,
    classCode: 0x01_80_00,
    revision: 1,
    interruptPin: 1,
    bars: [
      { kind: 'io', bytes: 0x40, bank: constant(0x11) },
      { kind: 'memory32', bytes: 0x1000, bank: constant(0x22) },
      undefined,
      undefined,
      { kind: 'memory64', bytes: 0x4000, prefetchable: true, bank: constant(0x33) },
    ],
  });
  host.plug(3, 0, card);
  const select = (device: number, register: number) =>
    ioBus.write(0xcf8, 4, (0x8000_0000 | (device << 11) | (register & 0xfc)) >>> 0);
  const read = (device: number, register: number) => {
    select(device, register);
    return ioBus.read(0xcfc, 4);
  };
  const write = (device: number, register: number, value: number) => {
    select(device, register);
    ioBus.write(0xcfc, 4, value);
  };
  return { ioBus, memoryBus, lines, resets, host, card, read, write };
}

test('PCI: the host bridge is found at 00:00.0 by ports and by ECAM, empty slots read all ones', () => {
  const { ioBus, memoryBus, read } = setup();
  assert.equal(read(0, 0), 0x29c0_8086);
  assert.equal(read(0, 8), 0x0600_0000);
  assert.equal(memoryBus.read(0xe000_0000, 4), 0x29c0_8086);
  assert.equal(memoryBus.read(0xe001_8002, 2), 0x1042);
  assert.equal(read(1, 0), 0xffff_ffff);
  assert.equal(memoryBus.read(0xe001_8100, 4), 0xffff_ffff);
  ioBus.write(0xcf8, 4, 0x8000_0000);
  assert.equal(ioBus.read(0xcf8, 4), 0x8000_0000);
  assert.equal(ioBus.read(0xcfe, 2), 0x29c0);
  ioBus.write(0xcf8, 4, 0x0000_0000);
  assert.equal(ioBus.read(0xcfc, 4), 0xffff_ffff);
});

test('PCI: byte accesses of 0xcf9 go to reset control and leave the address alone', () => {
  const { ioBus, resets } = setup();
  ioBus.write(0xcf8, 4, 0x8000_1800);
  ioBus.write(0xcf9, 1, 0x06);
  assert.deepEqual(resets, [6]);
  assert.equal(ioBus.read(0xcf9, 1), 0x5a);
  assert.equal(ioBus.read(0xcf8, 4), 0x8000_1800);
});

test('PCI: base address registers tell their size and kind', () => {
  const { read, write } = setup();
  for (const register of [0x10, 0x14, 0x18, 0x20, 0x24]) write(3, register, 0xffff_ffff);
  assert.equal(read(3, 0x10), 0xffff_ffc1);
  assert.equal(read(3, 0x14), 0xffff_f000);
  assert.equal(read(3, 0x18), 0);
  assert.equal(read(3, 0x20), 0xffff_c00c);
  assert.equal(read(3, 0x24), 0xffff_ffff);
});

test('PCI: windows answer where the guest puts them, while the command register lets them', () => {
  const { ioBus, memoryBus, read, write } = setup();
  write(3, 0x10, 0xc000);
  write(3, 0x14, 0xfe00_0000);
  write(3, 0x20, 0x0000_0000);
  write(3, 0x24, 0x0000_0008);
  assert.equal(ioBus.claims(0xc000), false);
  write(3, 0x04, 0x0003);
  assert.equal(ioBus.read(0xc000, 1), 0x11);
  assert.equal(memoryBus.read(0xfe00_0000, 4), 0x22);
  assert.equal(memoryBus.read(0x8_0000_0000, 4), 0x33);
  write(3, 0x14, 0xfd00_0000);
  assert.equal(memoryBus.claims(0xfe00_0000), false);
  assert.equal(memoryBus.read(0xfd00_0000, 4), 0x22);
  write(3, 0x14, 0xe000_0000); // on top of ECAM
  assert.equal(memoryBus.read(0xe000_0000, 4), 0x29c0_8086);
  write(3, 0x04, 0);
  assert.equal(ioBus.claims(0xc000), false);
  assert.equal(read(3, 0x04) & 0xffff, 0);
});

test('PCI: pins drive their line together and INTx disable holds them back', () => {
  const { host, card, lines, read, write } = setup();
  const second = new PciFunction({
    name: 'second',
    vendorId: 1,
    deviceId: 2,
    classCode: 0,
    interruptPin: 1,
  });
  host.plug(7, 0, second);
  card.interrupt.set(true);
  second.interrupt.set(true);
  assert.deepEqual(
    lines.map(({ level }) => level),
    [false, false, false, true],
  );
  assert.equal(read(3, 0x04) >>> 16, 0x0008);
  card.interrupt.set(false);
  assert.equal(lines[3]?.level, true);
  write(7, 0x04, 0x0400);
  assert.equal(lines[3]?.level, false);
  write(7, 0x04, 0x0000);
  assert.equal(lines[3]?.level, true);
});

test('PCI: capabilities are chained and their writable bits keep', () => {
  const { card, read, write } = setup();
  const first = card.addCapability(0x09, Uint8Array.of(0x10, 1, 0, 0, 0), Uint8Array.of(0, 0xff));
  const second = card.addCapability(0x11, Uint8Array.of(1, 0));
  assert.equal(read(3, 0x34) & 0xff, first);
  assert.equal(read(3, first) >>> 0, (0x0110_0009 | (second << 8)) >>> 0);
  assert.equal(read(3, 0x04) >>> 16, 0x0010);
  write(3, first, 0xffff_ffff);
  assert.equal(read(3, first) >>> 24, 0xff);
  assert.equal(read(3, first) & 0xff_00ff, 0x10_0009);
});

test('PCI: resources are assigned without overlap and decoded', () => {
  const { host, card } = setup();
  assignPciResources(host.functions, {
    io: { start: 0xc000, end: 0xd000 },
    memory: { start: 0xf000_0000, end: 0xf100_0000 },
    memory64: { start: 0x80_0000_0000, end: 0x81_0000_0000 },
  });
  assert.deepEqual(
    card.windows().map(({ address }) => address),
    [0xc000, 0xf000_0000, 0x80_0000_0000],
  );
});

test('PCI: a function refuses the configuration of another', () => {
  const { card, host } = setup();
  const foreign = host.bridge.persist.save();
  assert.throws(() => card.persist.restore(foreign), { code: 'snapshot-invalid' });
  const own = card.persist.save();
  card.interrupt.set(true);
  card.writeConfig(0x3c, 1, 0x0b);
  card.persist.restore(own);
  assert.deepEqual(card.persist.save(), own);
});
