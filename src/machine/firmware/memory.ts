/** Memory of a machine that starts from firmware: what the firmware may use, and where our tables lie. */
import { E820, type E820Entry } from '../boot/mod.ts';
import { ECAM, LOW_RAM_LIMIT } from '../layout.ts';
import { ramRanges } from '../memory-map.ts';

/** Room for ACPI tables at the end of RAM below 4 GiB. */
const TABLE_BYTES = 0x1_0000;

/** Where ACPI tables begin. */
export function firmwareTablesGpa(memoryBytes: number): number {
  return Math.min(memoryBytes, LOW_RAM_LIMIT) - TABLE_BYTES;
}

/** RAM from zero, its end reserved for tables, RAM above 4 GiB, ECAM. */
export function firmwareMemoryMap(memoryBytes: number): E820Entry[] {
  const tables = firmwareTablesGpa(memoryBytes);
  const high = ramRanges(memoryBytes).slice(1);
  return [
    { gpa: 0, bytes: tables, type: E820.ram },
    { gpa: tables, bytes: TABLE_BYTES, type: E820.reserved },
    { gpa: ECAM.gpa, bytes: (ECAM.lastBus + 1) * 2 ** 20, type: E820.reserved },
    ...high.map(({ start, bytes }) => ({ gpa: start, bytes, type: E820.ram })),
  ];
}
