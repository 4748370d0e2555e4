/** Memory map and command line as the boot protocols pass them, in guest memory. */
import { VivariumError } from '../../util/mod.ts';
import type { E820Entry, LoadOptions } from './boot-state.ts';
import type { ImageWriter } from './image-writer.ts';
import { CMDLINE_BYTES, CMDLINE_GPA, MAX_MEMORY_MAP_ENTRIES } from './layout.ts';

/**
 * Packs the map as a table of addr u64, size u64, type u32, each entry `entryBytes` long and
 * preceded by `prefix`, if given, as a u32.
 */
export function packMemoryMap(
  map: readonly E820Entry[],
  entryBytes: number,
  prefix?: number,
): Uint8Array {
  if (map.length > MAX_MEMORY_MAP_ENTRIES) {
    throw new VivariumError('memory-map', 'the memory map has too many entries for the kernel');
  }
  const table = new Uint8Array(map.length * entryBytes);
  const view = new DataView(table.buffer);
  map.forEach((range, index) => {
    let at = index * entryBytes;
    if (prefix !== undefined) {
      view.setUint32(at, prefix, true);
      at += 4;
    }
    view.setBigUint64(at, BigInt(range.gpa), true);
    view.setBigUint64(at + 8, BigInt(range.bytes), true);
    view.setUint32(at + 16, range.type, true);
  });
  return table;
}

/** Writes the command line, NUL-terminated. `limit` is what the kernel reads at most, without NUL. */
export function writeCmdline(
  writer: ImageWriter,
  { cmdline }: LoadOptions,
  limit: number,
  prefix = '',
): number {
  const bytes = new TextEncoder().encode(`${prefix}${cmdline}\0`);
  const most = Math.min(limit, CMDLINE_BYTES - 1);
  if (bytes.length - 1 > most) {
    throw new VivariumError(
      'cmdline-too-long',
      `the kernel command line has ${bytes.length - 1} bytes; this kernel reads at most ${most}`,
    );
  }
  if (bytes.indexOf(0) !== bytes.length - 1) {
    throw new VivariumError('cmdline-invalid', 'the kernel command line contains a NUL character');
  }
  writer.write(CMDLINE_GPA, bytes);
  return CMDLINE_GPA;
}
