/**
 * The Multiboot Specification, version 0.6.96 ("multiboot 1"): a header in the first 8 KiB of the
 * file, 32-bit entry, information structure in EBX. ELF files and the address fields of the header
 * (the "a.out kludge") are understood, 64-bit ELF files too. The initial RAM disk becomes the one
 * module. Left out: video modes, several modules, symbol tables.
 */
import { VivariumError } from '../../util/mod.ts';
import type { BootState, LoadOptions } from './boot-state.ts';
import { isElf, parseElf, viewOf } from './elf.ts';
import { protected32 } from './entry-states.ts';
import { endOfExtendedRam, type ImageWriter } from './image-writer.ts';
import { GIB, MEMORY_MAP_GPA, MIB, MODULES_GPA, PAGE_SIZE, START_INFO_GPA } from './layout.ts';
import { loadSegments } from './load-elf.ts';
import { packMemoryMap, writeCmdline } from './memory-tables.ts';

const HEADER_MAGIC = 0x1badb002;
const BOOTLOADER_MAGIC = 0x2badb002; // in EAX
const SEARCH_BYTES = 8192;

// Header flags. Bits 0-15 are demands that a loader must understand.
const WANT_VIDEO = 1 << 2;
const KNOWN_DEMANDS = 0b111; // page-aligned modules, memory information, video mode
const HAS_ADDRESSES = 1 << 16;

// Information flags.
const INFO_MEMORY = 1 << 0;
const INFO_CMDLINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MEMORY_MAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;

const INFO_BYTES = 88;
const MODULE_BYTES = 16;
const MAP_ENTRY_BYTES = 24; // with the leading size field, which does not count itself
const LOWER_KIB = 640;
const CMDLINE_LIMIT = 4095;
const LOADER_NAME = 'Vivarium';
/** behind the module entry */
const LOADER_NAME_GPA = MODULES_GPA + MODULE_BYTES;
/** As other loaders do, the command line starts with the name of the kernel. */
const PROGRAM_NAME = 'kernel ';

/** File offset of the multiboot header, or undefined if there is none. */
export function multibootHeader(image: Uint8Array): number | undefined {
  const view = viewOf(image);
  const end = Math.min(image.length, SEARCH_BYTES) - 12;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + view.getUint32(offset + 4, true) + view.getUint32(offset + 8, true);
    if (sum % 2 ** 32 === 0) return offset;
  }
  return undefined;
}

/** Loads a kernel whose multiboot header is at `headerOffset`. */
export function loadMultiboot(
  image: Uint8Array,
  headerOffset: number,
  writer: ImageWriter,
  options: LoadOptions,
): BootState {
  const flags = viewOf(image).getUint32(headerOffset + 4, true);
  if ((flags & 0xffff & ~KNOWN_DEMANDS) !== 0) {
    throw new VivariumError(
      'kernel-demands',
      `the multiboot kernel demands features that are not there (flags 0x${flags.toString(16)})`,
    );
  }
  if ((flags & WANT_VIDEO) !== 0) {
    throw new VivariumError(
      'kernel-demands',
      'the multiboot kernel asks for a video mode; Vivarium does not yet have one',
    );
  }
  const { entry, end } =
    (flags & HAS_ADDRESSES) !== 0
      ? loadByAddresses(image, headerOffset, writer)
      : loadByElf(image, writer);
  writeInformation(end, writer, options);
  return protected32(writer, {
    protocol: 'multiboot',
    entry,
    registers: { rax: BOOTLOADER_MAGIC, rbx: START_INFO_GPA },
  });
}

interface Loaded {
  readonly entry: number;
  readonly end: number;
}

/** Header fields: header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr. */
function loadByAddresses(image: Uint8Array, headerOffset: number, writer: ImageWriter): Loaded {
  const view = viewOf(image);
  if (headerOffset + 32 > image.length) throw damaged();
  const field = (index: number) => view.getUint32(headerOffset + 12 + index * 4, true);
  const [headerAddr, loadAddr, loadEnd, bssEnd] = [field(0), field(1), field(2), field(3)];
  const start = headerOffset - (headerAddr - loadAddr);
  const bytes = loadEnd === 0 ? image.length - start : loadEnd - loadAddr;
  if (headerAddr < loadAddr || start < 0 || bytes <= 0 || loadAddr < MIB) throw damaged();
  if (start + bytes > image.length) {
    throw new VivariumError('kernel-truncated', 'the kernel file ends too early; it is incomplete');
  }
  const end = Math.max(loadAddr + bytes, bssEnd);
  writer.requireRam(loadAddr, end - loadAddr);
  writer.copy(loadAddr, image.subarray(start, start + bytes));
  return { entry: field(4), end };
}

function loadByElf(image: Uint8Array, writer: ImageWriter): Loaded {
  if (!isElf(image)) throw damaged();
  const elf = parseElf(image);
  const end = loadSegments(image, elf, writer);
  const segment = elf.segments.find(
    ({ gva, memoryBytes }) => elf.entry >= gva && elf.entry < gva + BigInt(memoryBytes),
  );
  if (!segment) throw damaged();
  // Most kernels have equal virtual and physical addresses; for the others the entry is virtual.
  return { entry: segment.gpa + Number(elf.entry - segment.gva), end };
}

function writeInformation(kernelEnd: number, writer: ImageWriter, options: LoadOptions): void {
  const info = new Uint8Array(INFO_BYTES);
  const view = new DataView(info.buffer);
  const set = (offset: number, value: number) => view.setUint32(offset, value, true);
  let flags = INFO_MEMORY | INFO_CMDLINE | INFO_MEMORY_MAP | INFO_LOADER_NAME;
  set(4, LOWER_KIB);
  set(8, Math.min((endOfExtendedRam(options.memoryMap) - MIB) / 1024, 0xffff_ffff));
  set(16, writeCmdline(writer, options, CMDLINE_LIMIT, PROGRAM_NAME));
  if (options.initrd) {
    flags |= INFO_MODULES;
    set(20, 1);
    set(24, MODULES_GPA);
    const start = placeModule(options.initrd, kernelEnd, writer);
    const module = new Uint32Array([start, start + options.initrd.length, 0, 0]);
    writer.write(MODULES_GPA, new Uint8Array(module.buffer));
  }
  const map = packMemoryMap(options.memoryMap, MAP_ENTRY_BYTES, MAP_ENTRY_BYTES - 4);
  writer.write(MEMORY_MAP_GPA, map);
  set(44, map.length);
  set(48, MEMORY_MAP_GPA);
  writer.write(LOADER_NAME_GPA, new TextEncoder().encode(`${LOADER_NAME}\0`));
  set(64, LOADER_NAME_GPA);
  set(0, flags);
  writer.write(START_INFO_GPA, info);
}

/** Directly behind the kernel, where small kernels look for it; elsewhere if it does not fit. */
function placeModule(module: Uint8Array, kernelEnd: number, writer: ImageWriter): number {
  const gpa = Math.ceil(kernelEnd / PAGE_SIZE) * PAGE_SIZE;
  if (!writer.isRam(gpa, module.length)) return writer.placeInitrd(module, gpa, 4 * GIB);
  writer.copy(gpa, module);
  return gpa;
}

function damaged(): VivariumError {
  return new VivariumError('kernel-damaged', 'the multiboot kernel has a damaged header');
}
