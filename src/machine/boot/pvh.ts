/**
 * The PVH boot protocol: a 32-bit entry named by an ELF note, one structure in EBX.
 * Xen docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h; note number from public/elfnote.h.
 * Left out: several modules.
 */
import { VivariumError } from '../../util/mod.ts';
import type { BootState, LoadOptions } from './boot-state.ts';
import { type ElfFile, viewOf } from './elf.ts';
import { protected32 } from './entry-states.ts';
import type { ImageWriter } from './image-writer.ts';
import { GIB, MEMORY_MAP_GPA, MODULES_GPA, START_INFO_GPA } from './layout.ts';
import { isInSegment, loadSegments } from './load-elf.ts';
import { packMemoryMap, writeCmdline } from './memory-tables.ts';

const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const XEN_HVM_START_MAGIC_VALUE = 0x336ec578;
const START_INFO_VERSION = 1; // with memory map
const START_INFO_BYTES = 56;
const MODULE_BYTES = 32;
const MEMORY_MAP_ENTRY_BYTES = 24;
/** Linux copies 2,048 bytes of it, NUL included, whatever the boot protocol. */
const CMDLINE_LIMIT = 2047;
const SEGMENTS_BELOW = 4 * GIB;

/** The address at which a PVH kernel is entered, or undefined if this is none. */
export function pvhEntry(elf: ElfFile): number | undefined {
  for (const { name, type, description } of elf.notes) {
    if (name === 'Xen' && type === XEN_ELFNOTE_PHYS32_ENTRY && description.length >= 4) {
      return viewOf(description).getUint32(0, true);
    }
  }
  return undefined;
}

/** Loads an ELF kernel that has the note. */
export function loadPvh(
  image: Uint8Array,
  elf: ElfFile,
  entry: number,
  writer: ImageWriter,
  options: LoadOptions,
): BootState {
  if (!isInSegment(elf, entry)) {
    throw new VivariumError('kernel-damaged', "the kernel's PVH entry lies outside of the kernel");
  }
  const end = loadSegments(image, elf, writer);
  const cmdline = writeCmdline(writer, options, CMDLINE_LIMIT);
  const modules = options.initrd ? 1 : 0;
  if (options.initrd) {
    const gpa = writer.placeInitrd(options.initrd, end, SEGMENTS_BELOW);
    writer.write(MODULES_GPA, moduleEntry(gpa, options.initrd.length));
  }
  writer.write(MEMORY_MAP_GPA, packMemoryMap(options.memoryMap, MEMORY_MAP_ENTRY_BYTES));
  writer.write(START_INFO_GPA, startInfo(cmdline, modules, options));
  return protected32(writer, { protocol: 'pvh', entry, registers: { rbx: START_INFO_GPA } });
}

/** struct hvm_modlist_entry */
function moduleEntry(gpa: number, bytes: number): Uint8Array {
  const entry = new Uint8Array(MODULE_BYTES);
  const view = new DataView(entry.buffer);
  view.setBigUint64(0, BigInt(gpa), true);
  view.setBigUint64(8, BigInt(bytes), true);
  return entry;
}

/** struct hvm_start_info */
function startInfo(cmdline: number, modules: number, options: LoadOptions): Uint8Array {
  const info = new Uint8Array(START_INFO_BYTES);
  const view = new DataView(info.buffer);
  view.setUint32(0, XEN_HVM_START_MAGIC_VALUE, true);
  view.setUint32(4, START_INFO_VERSION, true);
  view.setUint32(8, 0, true); // flags
  view.setUint32(12, modules, true);
  view.setBigUint64(16, BigInt(modules > 0 ? MODULES_GPA : 0), true);
  view.setBigUint64(24, BigInt(cmdline), true);
  view.setBigUint64(32, BigInt(options.rsdpGpa ?? 0), true);
  view.setBigUint64(40, BigInt(MEMORY_MAP_GPA), true);
  view.setUint32(48, options.memoryMap.length, true);
  return info;
}
