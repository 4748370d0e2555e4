/**
 * ACPI tables as files that firmware places: their contents, and the script by which it links them.
 * SeaBIOS, src/fw/romfile_loader.h; OVMF follows the same.
 *
 * ```
 *  1 allocate    file, alignment, zone
 *  2 add pointer file that holds it, file it points to, offset, size
 *  3 checksum    file, offset of the sum, start, length
 * ```
 */
import type { FwCfgFile } from '../../devices/fw-cfg/mod.ts';
import type { AcpiTables, PlacedTable } from '../acpi/mod.ts';

const ENTRY_BYTES = 128;
const NAME_BYTES = 56;
const ALLOCATE = 1;
const ADD_POINTER = 2;
const ADD_CHECKSUM = 3;
const ZONE_HIGH = 1;
const ZONE_LOW = 2;

const RSDP_FILE = 'etc/acpi/rsdp';
const TABLES_FILE = 'etc/acpi/tables';
const LOADER_FILE = 'etc/table-loader';
const RSDP_ALIGNMENT = 16;
const TABLES_ALIGNMENT = 64;

const TABLE_CHECKSUM = 9;
const TABLE_HEADER_BYTES = 36;
const RSDP_CHECKSUM = 8;
const RSDP_FIRST_BYTES = 20;
const RSDP_EXTENDED_CHECKSUM = 32;

/** Pointers of a table: offset and size. */
type Pointer = readonly [offset: number, bytes: 4 | 8];

const FIXED_POINTERS: Readonly<Record<string, readonly Pointer[]>> = {
  RSDP: [
    [16, 4],
    [24, 8],
  ],
  FACP: [
    [36, 4],
    [40, 4],
    [140, 8],
  ],
};

/** The files for tables that were built for the address zero. */
export function tableLoaderFiles({ tables, rsdpGpa, end }: AcpiTables): FwCfgFile[] {
  if (rsdpGpa !== 0) throw new Error('tables that firmware places begin at zero');
  const blob = new Uint8Array(end);
  const script: Uint8Array[] = [
    allocate(TABLES_FILE, TABLES_ALIGNMENT, ZONE_HIGH),
    allocate(RSDP_FILE, RSDP_ALIGNMENT, ZONE_LOW),
  ];
  const sums: Uint8Array[] = [];
  let rsdp = new Uint8Array(0);
  for (const table of tables) {
    const { name, gpa } = table;
    const bytes = table.bytes.slice();
    const file = name === 'RSDP' ? RSDP_FILE : TABLES_FILE;
    const start = name === 'RSDP' ? 0 : gpa;
    for (const [offset, size] of pointersOf(table)) {
      script.push(addPointer(file, start + offset, size));
    }
    // Sums are made when the pointers are right; until then their place is zero.
    if (name === 'RSDP') {
      bytes[RSDP_CHECKSUM] = 0;
      bytes[RSDP_EXTENDED_CHECKSUM] = 0;
      sums.push(addChecksum(file, RSDP_CHECKSUM, 0, RSDP_FIRST_BYTES));
      sums.push(addChecksum(file, RSDP_EXTENDED_CHECKSUM, 0, bytes.length));
      rsdp = bytes;
    } else {
      if (name !== 'FACS') {
        bytes[TABLE_CHECKSUM] = 0;
        sums.push(addChecksum(file, start + TABLE_CHECKSUM, start, bytes.length));
      }
      blob.set(bytes, gpa);
    }
  }
  const loader = new Uint8Array(ENTRY_BYTES * (script.length + sums.length));
  [...script, ...sums].forEach((entry, index) => {
    loader.set(entry, ENTRY_BYTES * index);
  });
  return [
    { name: RSDP_FILE, bytes: rsdp },
    { name: TABLES_FILE, bytes: blob },
    { name: LOADER_FILE, bytes: loader },
  ];
}

function pointersOf({ name, bytes }: PlacedTable): readonly Pointer[] {
  const size = name === 'RSDT' ? 4 : name === 'XSDT' ? 8 : undefined;
  if (size === undefined) return FIXED_POINTERS[name] ?? [];
  const count = (bytes.length - TABLE_HEADER_BYTES) / size;
  return Array.from({ length: count }, (_, index) => [TABLE_HEADER_BYTES + size * index, size]);
}

function allocate(file: string, alignment: number, zone: number): Uint8Array {
  const { bytes, view } = entry(ALLOCATE, file);
  view.setUint32(4 + NAME_BYTES, alignment, true);
  view.setUint8(8 + NAME_BYTES, zone);
  return bytes;
}

/** All pointers lead into the tables. */
function addPointer(file: string, offset: number, size: number): Uint8Array {
  const { bytes, view } = entry(ADD_POINTER, file);
  bytes.set(new TextEncoder().encode(TABLES_FILE), 4 + NAME_BYTES);
  view.setUint32(4 + 2 * NAME_BYTES, offset, true);
  view.setUint8(8 + 2 * NAME_BYTES, size);
  return bytes;
}

function addChecksum(file: string, offset: number, start: number, length: number): Uint8Array {
  const { bytes, view } = entry(ADD_CHECKSUM, file);
  view.setUint32(4 + NAME_BYTES, offset, true);
  view.setUint32(8 + NAME_BYTES, start, true);
  view.setUint32(12 + NAME_BYTES, length, true);
  return bytes;
}

function entry(command: number, file: string): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, command, true);
  bytes.set(new TextEncoder().encode(file), 4);
  return { bytes, view };
}
