/**
 * Resource descriptors of `_CRS`. ACPI specification 6.5, section 6.4 "Resource Data Types for ACPI".
 */
import { type Aml, buffer, concat, littleEndian } from './aml.ts';

/** Bits of address space descriptors: both ends are fixed, and a bridge hands the range on. */
const PRODUCER_FIXED = 0x0c;
const SPACE_MEMORY = 0;
const SPACE_IO = 1;
const SPACE_BUS = 2;
const MEMORY_READ_WRITE = 0x01;
const IO_ENTIRE_RANGE = 0x03;

/** The descriptors as a `ResourceTemplate` buffer. */
export function resourceTemplate(...descriptors: readonly Aml[]): Aml {
  return buffer(concat(...descriptors, 0x79, 0x00)); // a zero checksum means none
}

/** Ports `[port, port + length)`, decoded by 16 bits. */
export function ioPorts(port: number, length: number): Aml {
  return concat(0x47, 0x01, littleEndian(port, 2), littleEndian(port, 2), 0x01, length);
}

/** An edge-triggered, active-high ISA interrupt. */
export function isaInterrupt(irq: number): Aml {
  return concat(0x22, littleEndian(1 << irq, 2));
}

/** A fixed range of memory below 4 GiB. */
export function memoryFixed(gpa: number, bytes: number): Aml {
  return concat(0x86, littleEndian(9, 2), 0x01, littleEndian(gpa, 4), littleEndian(bytes, 4));
}

/** Buses `first` to `last` behind a host bridge. */
export function busRange(first: number, last: number): Aml {
  return addressSpace(2, SPACE_BUS, 0, first, last + 1);
}

/** Ports that a host bridge hands on; `end` exclusive. */
export function ioWindow(start: number, end: number): Aml {
  return addressSpace(2, SPACE_IO, IO_ENTIRE_RANGE, start, end);
}

/** Memory that a host bridge hands on; `end` exclusive. */
export function memoryWindow(start: number, end: number): Aml {
  return addressSpace(end <= 2 ** 32 ? 4 : 8, SPACE_MEMORY, MEMORY_READ_WRITE, start, end);
}

/** Word, double-word or quad-word address space descriptor. */
function addressSpace(
  width: 2 | 4 | 8,
  space: number,
  flags: number,
  start: number,
  end: number,
): Aml {
  const tag = { 2: 0x88, 4: 0x87, 8: 0x8a }[width];
  const fields = [0, start, end - 1, 0, end - start]; // granularity, ends, translation, length
  return concat(
    tag,
    littleEndian(3 + 5 * width, 2),
    space,
    PRODUCER_FIXED,
    flags,
    ...fields.map((field) => littleEndian(field, width)),
  );
}
