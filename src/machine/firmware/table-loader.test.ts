import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildAcpiTables } from '../acpi/mod.ts';
import { tableLoaderFiles } from './table-loader.ts';

const BLOB_GPA = 0x7fe_0040;
const RSDP_GPA = 0xf_5a00;

/** Does what firmware does: SeaBIOS, src/fw/romfile_loader.c. */
function follow(): Map<string, { gpa: number; bytes: Uint8Array }> {
  const tables = buildAcpiTables({
    apicIds: [0],
    localApicGpa: 0xfee0_0000,
    ioapic: { id: 0, gpa: 0xfec0_0000 },
    sciIrq: 9,
    pmPort: 0x600,
    pmTimerBits: 32,
    reset: { port: 0xcf9, value: 6 },
    i8042: true,
    vga: true,
    serialPorts: [],
    gpa: 0,
  });
  const files = new Map(tableLoaderFiles(tables).map(({ name, bytes }) => [name, bytes.slice()]));
  const script = files.get('etc/table-loader')!;
  const gpas: Readonly<Record<string, number>> = {
    'etc/acpi/tables': BLOB_GPA,
    'etc/acpi/rsdp': RSDP_GPA,
  };
  const nameAt = (at: number) => {
    const name = script.subarray(at, at + 56);
    return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
  };
  const allocated = new Set<string>();
  for (let at = 0; at < script.length; at += 128) {
    const view = new DataView(script.buffer, at, 128);
    const name = nameAt(at + 4);
    const bytes = files.get(name)!;
    const target = new DataView(bytes.buffer);
    switch (view.getUint32(0, true)) {
      case 1:
        assert.ok(view.getUint32(60, true) >= 16);
        allocated.add(name);
        break;
      case 2: {
        const offset = view.getUint32(116, true);
        const base = gpas[nameAt(at + 60)]!;
        assert.ok(allocated.has(name));
        if (view.getUint8(120) === 4) {
          target.setUint32(offset, target.getUint32(offset, true) + base, true);
        } else {
          assert.equal(view.getUint8(120), 8);
          target.setBigUint64(offset, target.getBigUint64(offset, true) + BigInt(base), true);
        }
        break;
      }
      case 3: {
        const [place, start, length] = [60, 64, 68].map((from) => view.getUint32(from, true));
        const part = bytes.subarray(start, start! + length!);
        bytes[place!] = -part.reduce((sum, byte) => sum + byte, 0) & 0xff;
        break;
      }
      default:
        assert.fail('a command that firmware does not know');
    }
  }
  return new Map(
    [...allocated].map((name) => [name, { gpa: gpas[name]!, bytes: files.get(name)! }]),
  );
}

test('ACPI tables that firmware has placed and linked lead from one to the next, and add up', () => {
  const files = follow();
  const read = (gpa: number, length: number): DataView => {
    for (const { gpa: start, bytes } of files.values()) {
      if (gpa >= start && gpa + length <= start + bytes.length) {
        return new DataView(bytes.buffer, bytes.byteOffset + gpa - start, length);
      }
    }
    assert.fail(`nothing at 0x${gpa.toString(16)}`);
  };
  const sum = (view: DataView) => {
    let total = 0;
    for (let at = 0; at < view.byteLength; at++) total += view.getUint8(at);
    return total & 0xff;
  };
  const table = (gpa: number): { name: string; view: DataView } => {
    const view = read(gpa, read(gpa, 36).getUint32(4, true));
    const letters = [0, 1, 2, 3].map((at) => view.getUint8(at));
    return { name: String.fromCharCode(...letters), view };
  };
  const rsdp = read(RSDP_GPA, 36);
  assert.equal(sum(read(RSDP_GPA, 20)), 0);
  assert.equal(sum(rsdp), 0);
  const rsdt = table(rsdp.getUint32(16, true));
  const xsdt = table(Number(rsdp.getBigUint64(24, true)));
  assert.deepEqual([rsdt.name, xsdt.name], ['RSDT', 'XSDT']);
  const roots: string[] = [];
  for (let at = 36; at < xsdt.view.byteLength; at += 8) {
    const gpa = Number(xsdt.view.getBigUint64(at, true));
    assert.equal(rsdt.view.getUint32(36 + (at - 36) / 2, true), gpa);
    const { name, view } = table(gpa);
    assert.equal(sum(view), 0, name);
    roots.push(name);
    if (name !== 'FACP') continue;
    assert.equal(table(view.getUint32(36, true)).name, 'FACS');
    const dsdt = table(view.getUint32(40, true));
    assert.equal(dsdt.name, 'DSDT');
    assert.equal(sum(dsdt.view), 0);
    assert.equal(Number(view.getBigUint64(140, true)), view.getUint32(40, true));
  }
  assert.deepEqual(roots, ['FACP', 'APIC']);
  assert.deepEqual([sum(rsdt.view), sum(xsdt.view)], [0, 0]);
});
