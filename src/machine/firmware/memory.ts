/** Memory of a machine that starts from firmware, as the firmware is told of it. */
import { E820, type E820Entry } from '../boot/mod.ts';
import { ECAM, HIGH_RAM_START, LOW_RAM_LIMIT } from '../layout.ts';
import { ramRanges } from '../memory-map.ts';

const MIB = 2 ** 20;
const CMOS_ABOVE_16_MIB = 0x34;
const CMOS_ABOVE_4_GIB = 0x5b;
const CMOS_UNIT = 0x1_0000;

/** RAM from zero, RAM above 4 GiB, and ECAM if there is any. */
export function firmwareMemoryMap(memoryBytes: number, hasEcam: boolean): E820Entry[] {
  const ecamBytes = (ECAM.lastBus + 1) * MIB;
  return [
    ...ramRanges(memoryBytes).map(({ start, bytes }) => ({ gpa: start, bytes, type: E820.ram })),
    ...(hasEcam ? [{ gpa: ECAM.gpa, bytes: ecamBytes, type: E820.reserved }] : []),
  ].sort((left, right) => left.gpa - right.gpa);
}

/** The size of memory as UEFI firmware finds it in CMOS: registers and their values. */
export function cmosMemory(memoryBytes: number): [register: number, value: number][] {
  const low = Math.min(memoryBytes, LOW_RAM_LIMIT);
  const above16 = Math.max(0, low - 16 * MIB) / CMOS_UNIT;
  const above4 = (memoryBytes - low) / CMOS_UNIT;
  const parts = (value: number, count: number): number[] =>
    Array.from({ length: count }, (_, index) => Math.floor(value / 256 ** index) & 0xff);
  const registers: [number, number][] = [];
  for (const [index, value] of parts(above16, 2).entries()) {
    registers.push([CMOS_ABOVE_16_MIB + index, value]);
  }
  for (const [index, value] of parts(above4, 3).entries()) {
    registers.push([CMOS_ABOVE_4_GIB + index, value]);
  }
  return registers;
}

/** Where UEFI firmware gives PCI devices their places: above RAM, below the interrupt controllers. */
export function uefiPciWindow(memoryBytes: number): { start: number; end: number } {
  const start = Math.max(0x8000_0000, Math.min(memoryBytes, LOW_RAM_LIMIT));
  return { start: Math.min(start, HIGH_RAM_START), end: 0xfc00_0000 };
}
