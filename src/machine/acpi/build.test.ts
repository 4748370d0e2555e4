import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildAcpiTables } from './build.ts';
import type { AcpiDescription } from './description.ts';

const description: AcpiDescription = {
  apicIds: [0, 1],
  localApicGpa: 0xfee0_0000,
  ioapic: { id: 0, gpa: 0xfec0_0000 },
  sciIrq: 9,
  pmPort: 0x600,
  pmTimerBits: 32,
  reset: { port: 0xcf9, value: 0x06 },
  rtcCenturyIndex: 0x32,
  i8042: true,
  vga: false,
  serialPorts: [{ port: 0x3f8, irq: 4 }],
  pci: {
    ecam: { gpa: 0xe000_0000, lastBus: 0 },
    ioWindows: [{ start: 0x1000, end: 0x1_0000 }],
    memoryWindows: [
      { start: 0xc000_0000, end: 0xe000_0000 },
      { start: 0x40_0000_0000, end: 0x60_0000_0000 },
    ],
    firstGsi: 16,
  },
};

const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);

function find(name: string, from = description) {
  const table = buildAcpiTables(from).tables.find((candidate) => candidate.name === name);
  assert.ok(table, name);
  return { ...table, view: new DataView(table.bytes.buffer) };
}

test('ACPI: every table has its signature, its length, and bytes that add up to zero', () => {
  const { tables } = buildAcpiTables(description);
  assert.deepEqual(
    tables.map(({ name }) => name),
    ['FACS', 'DSDT', 'FACP', 'APIC', 'MCFG', 'RSDT', 'XSDT', 'RSDP'],
  );
  for (const { name, bytes } of tables) {
    if (name === 'RSDP') {
      assert.equal(text(bytes.subarray(0, 8)), 'RSD PTR ');
      assert.equal(sum(bytes.subarray(0, 20)), 0);
      assert.equal(sum(bytes), 0);
      continue;
    }
    assert.equal(text(bytes.subarray(0, 4)), name);
    assert.equal(new DataView(bytes.buffer).getUint32(4, true), bytes.length);
    if (name !== 'FACS') assert.equal(sum(bytes), 0, name);
  }
});

test('ACPI: tables are aligned, do not overlap, and lie where the RSDP is searched', () => {
  const { tables, rsdpGpa, end } = buildAcpiTables(description);
  assert.equal(rsdpGpa, 0xe_0000);
  assert.ok(end <= 0x10_0000);
  const sorted = [...tables].sort((left, right) => left.gpa - right.gpa);
  let previousEnd = 0;
  for (const { gpa, bytes } of sorted) {
    assert.equal(gpa % 64, 0);
    assert.ok(gpa >= previousEnd);
    previousEnd = gpa + bytes.length;
  }
});

test('ACPI: the XSDT and RSDT lead to the tables, the FADT to DSDT and FACS', () => {
  const { tables } = buildAcpiTables(description);
  const at = new Map(tables.map(({ gpa, name }) => [gpa, name]));
  const rsdp = find('RSDP').view;
  assert.equal(at.get(rsdp.getUint32(16, true)), 'RSDT');
  assert.equal(at.get(Number(rsdp.getBigUint64(24, true))), 'XSDT');
  const xsdt = find('XSDT').view;
  const names = [36, 44, 52].map((offset) => at.get(Number(xsdt.getBigUint64(offset, true))));
  assert.deepEqual(names, ['FACP', 'APIC', 'MCFG']);
  const fadt = find('FACP').view;
  assert.equal(at.get(fadt.getUint32(36, true)), 'FACS');
  assert.equal(at.get(fadt.getUint32(40, true)), 'DSDT');
});

test('ACPI: the FADT names PM ports, the reset register and what may be probed', () => {
  const { view } = find('FACP');
  assert.equal(view.getUint32(56, true), 0x600);
  assert.equal(view.getUint32(64, true), 0x604);
  assert.equal(view.getUint32(76, true), 0x608);
  assert.equal(view.getUint32(48, true), 0, 'no SMI command: always in ACPI mode');
  assert.equal(view.getUint16(109, true), 0x0007);
  assert.equal(view.getUint32(112, true), 0x0565);
  assert.equal(view.getBigUint64(120, true), 0xcf9n);
  assert.equal(view.getUint8(128), 0x06);
  assert.equal(view.getUint8(108), 0x32);
  const { rtcCenturyIndex, ...noClock } = description;
  assert.equal(rtcCenturyIndex, 0x32);
  const bare = find('FACP', { ...noClock, i8042: false, vga: true }).view;
  assert.equal(bare.getUint16(109, true), 0x0021);
});

test('ACPI: the MADT lists processors, the IOAPIC and both overrides', () => {
  const { bytes, view } = find('APIC');
  const entries: string[] = [];
  for (let at = 44; at < bytes.length; at += view.getUint8(at + 1)) {
    entries.push(Buffer.from(bytes.subarray(at, at + view.getUint8(at + 1))).toString('hex'));
  }
  assert.deepEqual(entries, [
    '0008000001000000',
    '0008010101000000',
    '010c00000000c0fe00000000',
    '020a0000020000000000',
    '020a0009090000000d00',
    '0406ff000001',
  ]);
});

test('ACPI: without PCI there is neither MCFG nor a root bridge', () => {
  const { pci, ...board } = description;
  assert.ok(pci);
  assert.equal(
    buildAcpiTables(board).tables.some(({ name }) => name === 'MCFG'),
    false,
  );
  assert.doesNotMatch(text(find('DSDT', board).bytes), /PCI0/);
});

const iasl = spawnSync('iasl', ['-v']).status === 0;

test('ACPI: iasl disassembles the DSDT and compiles it again without an error', {
  skip: iasl ? false : 'iasl (package acpica-tools) is not installed',
}, () => {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-acpi-'));
  try {
    for (const { name, bytes } of buildAcpiTables(description).tables) {
      if (name === 'RSDP') continue;
      const file = join(directory, `${name}.aml`);
      writeFileSync(file, bytes);
      const result = spawnSync('iasl', ['-d', file], { encoding: 'utf8' });
      assert.equal(result.status, 0, result.stderr);
      assert.doesNotMatch(result.stdout + result.stderr, /Error|Warning|Invalid/i, name);
    }
    const source = join(directory, 'DSDT.dsl');
    const dsl = readFileSync(source, 'utf8');
    for (const wanted of [
      /Name \(\\_S5/,
      /Device \(PCI0\)/,
      /Device \(COM1\)/,
      /EisaId \("PNP0501"\)/,
      /EisaId \("PNP0303"\)/,
      /0x00000040FFFFFFFF|0x0000005FFFFFFFFF/,
    ]) {
      assert.match(dsl, wanted);
    }
    const compiled = spawnSync('iasl', ['-oa', '-p', join(directory, 'again'), source], {
      encoding: 'utf8',
    });
    assert.match(compiled.stdout, /0 Errors/);
    assert.deepEqual(
      new Uint8Array(readFileSync(join(directory, 'again.aml'))).subarray(36),
      find('DSDT').bytes.subarray(36),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
