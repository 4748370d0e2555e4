/** Places the segments of an ELF kernel at the physical addresses that the file names. */
import { VivariumError } from '../../util/mod.ts';
import type { ElfFile } from './elf.ts';
import type { ImageWriter } from './image-writer.ts';
import { MIB } from './layout.ts';

/** Returns the end of the highest segment. */
export function loadSegments(image: Uint8Array, elf: ElfFile, writer: ImageWriter): number {
  let end = 0;
  for (const segment of elf.segments) {
    if (segment.gpa < MIB) {
      throw new VivariumError(
        'kernel-address',
        'the kernel wants to be loaded below 1 MiB, where the boot loader keeps its tables',
      );
    }
    end = Math.max(end, segment.gpa + segment.memoryBytes);
  }
  // The whole kernel first, so that the message tells what all of it needs.
  const highest = elf.segments.find(({ gpa, memoryBytes }) => gpa + memoryBytes === end);
  if (highest) writer.requireRam(highest.gpa, highest.memoryBytes);
  for (const segment of elf.segments) {
    writer.requireRam(segment.gpa, segment.memoryBytes);
    writer.copy(segment.gpa, image.subarray(segment.offset, segment.offset + segment.fileBytes));
  }
  return end;
}

/** True if the physical address lies in a segment: a plausible entry point. */
export function isInSegment(elf: ElfFile, gpa: number): boolean {
  return elf.segments.some((each) => gpa >= each.gpa && gpa < each.gpa + each.memoryBytes);
}
