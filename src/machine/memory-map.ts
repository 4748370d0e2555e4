import type { RamRange } from '../memory/mod.ts';
import { E820, type E820Entry } from './boot/mod.ts';
import {
  CONVENTIONAL_END,
  ECAM,
  HIGH_RAM_START,
  LEGACY_HOLE,
  LOW_RAM_LIMIT,
  VIDEO_WINDOW,
} from './layout.ts';

/**
 * RAM of a machine with `bytes` of memory: below the PCI hole, the rest above 4 GiB. The legacy video
 * window is RAM too, unless there is a graphics card.
 */
export function ramRanges(bytes: number, hasVideo = false): RamRange[] {
  const low = Math.min(bytes, LOW_RAM_LIMIT);
  const ranges: RamRange[] = hasVideo
    ? [
        { start: 0, bytes: VIDEO_WINDOW.start },
        { start: VIDEO_WINDOW.end, bytes: low - VIDEO_WINDOW.end },
      ]
    : [{ start: 0, bytes: low }];
  if (bytes > low) ranges.push({ start: HIGH_RAM_START, bytes: bytes - low });
  return ranges;
}

/** What firmware would tell the kernel of guest-physical memory (ACPI 15). */
export function memoryMap(bytes: number): E820Entry[] {
  const entries: E820Entry[] = [
    { gpa: 0, bytes: CONVENTIONAL_END, type: E820.ram },
    { gpa: CONVENTIONAL_END, bytes: LEGACY_HOLE.end - CONVENTIONAL_END, type: E820.reserved },
  ];
  for (const range of ramRanges(bytes)) {
    const start = Math.max(range.start, LEGACY_HOLE.end);
    const end = range.start + range.bytes;
    if (end > start) entries.push({ gpa: start, bytes: end - start, type: E820.ram });
  }
  entries.push({ gpa: ECAM.gpa, bytes: (ECAM.lastBus + 1) * 2 ** 20, type: E820.reserved });
  return entries.sort((left, right) => left.gpa - right.gpa);
}
