/**
 * The ACPI tables of a machine, ready to be copied into guest memory.
 * ACPI specification 6.5, section 5.2 "ACPI System Description Tables"; MCFG as in PCI Firmware
 * Specification 3.3, section 4.1.2.
 *
 * Left out: SRAT and SLIT (one node), HPET, SSDTs.
 */
import { ascii } from './aml.ts';
import type { AcpiDescription } from './description.ts';
import { buildDsdt } from './dsdt.ts';
import { buildFadt } from './fadt.ts';
import { buildMadt } from './madt.ts';
import { AcpiTable, checksum, TABLE_HEADER_BYTES } from './table.ts';

export const ACPI_DEFAULT_GPA = 0xe_0000;
/** Tables that lie below 1 MiB must not reach beyond it. */
const LOW_MEMORY_END = 0x10_0000;

const RSDP_BYTES = 36;
const FACS_BYTES = 64;
const ALIGNMENT = 64; // the FACS asks for it

/** One table and where it belongs. */
export interface PlacedTable {
  readonly name: string;
  readonly gpa: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface AcpiTables {
  readonly tables: readonly PlacedTable[];
  readonly rsdpGpa: number;
  /** first address after the tables */
  readonly end: number;
}

/**
 * Builds the tables that `description` asks for.
 * @example
 * const { tables, rsdpGpa } = buildAcpiTables(description);
 * for (const { gpa, bytes } of tables) memory.write(gpa, bytes);
 */
export function buildAcpiTables(description: AcpiDescription): AcpiTables {
  const rsdpGpa = description.gpa ?? ACPI_DEFAULT_GPA;
  const tables: PlacedTable[] = [];
  let next = rsdpGpa + ALIGNMENT; // the RSDP itself is written last
  const place = (name: string, bytes: Uint8Array<ArrayBuffer>): number => {
    const gpa = next;
    tables.push({ name, gpa, bytes });
    next = Math.ceil((gpa + bytes.length) / ALIGNMENT) * ALIGNMENT;
    return gpa;
  };

  const facs = place('FACS', buildFacs());
  const dsdt = place('DSDT', wrapDsdt(description));
  const roots = [
    place('FACP', buildFadt(description, { facs, dsdt })),
    place('APIC', buildMadt(description)),
  ];
  const ecam = description.pci?.ecam;
  if (ecam !== undefined) roots.push(place('MCFG', buildMcfg(ecam)));
  const rsdt = place('RSDT', buildRoot('RSDT', 4, roots));
  const xsdt = place('XSDT', buildRoot('XSDT', 8, roots));
  tables.push({ name: 'RSDP', gpa: rsdpGpa, bytes: buildRsdp(rsdt, xsdt) });
  if (rsdpGpa < LOW_MEMORY_END && next > LOW_MEMORY_END) {
    throw new RangeError('ACPI tables do not fit below 1 MiB');
  }
  return { tables, rsdpGpa, end: next };
}

function wrapDsdt(description: AcpiDescription): Uint8Array<ArrayBuffer> {
  const aml = buildDsdt(description);
  // Revision 2: integers have 64 bits.
  const table = new AcpiTable('DSDT', 2, TABLE_HEADER_BYTES + aml.length);
  table.put(TABLE_HEADER_BYTES, aml);
  return table.finish();
}

/** The firmware ACPI control structure has a signature and a length but no checksum: section 5.2.10. */
function buildFacs(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FACS_BYTES);
  bytes.set(ascii('FACS'));
  bytes[4] = FACS_BYTES;
  bytes[32] = 2; // version
  return bytes;
}

function buildMcfg(ecam: { gpa: number; lastBus: number }): Uint8Array<ArrayBuffer> {
  const table = new AcpiTable('MCFG', 1, TABLE_HEADER_BYTES + 8 + 16);
  table.u64(44, ecam.gpa);
  table.u16(52, 0); // segment
  table.u8(54, 0);
  table.u8(55, ecam.lastBus);
  return table.finish();
}

function buildRoot(
  signature: 'RSDT' | 'XSDT',
  pointerBytes: 4 | 8,
  roots: readonly number[],
): Uint8Array<ArrayBuffer> {
  const table = new AcpiTable(signature, 1, TABLE_HEADER_BYTES + pointerBytes * roots.length);
  roots.forEach((gpa, index) => {
    const offset = TABLE_HEADER_BYTES + pointerBytes * index;
    if (pointerBytes === 4) table.u32(offset, gpa);
    else table.u64(offset, gpa);
  });
  return table.finish();
}

/** The root pointer has two checksums: of its first 20 bytes, and of all. Section 5.2.5.3. */
function buildRsdp(rsdt: number, xsdt: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RSDP_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(ascii('RSD PTR '));
  bytes.set(ascii('VIVAR '), 9);
  bytes[15] = 2; // revision
  view.setUint32(16, rsdt, true);
  view.setUint32(20, RSDP_BYTES, true);
  view.setBigUint64(24, BigInt(xsdt), true);
  bytes[8] = checksum(bytes.subarray(0, 20));
  bytes[32] = checksum(bytes);
  return bytes;
}
