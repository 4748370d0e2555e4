/**
 * The 64-bit and 32-bit boot protocols of Linux (Documentation/arch/x86/boot.rst, "64-bit Boot
 * Protocol", "32-bit Boot Protocol", and zero-page.rst): enters the protected-mode code of a bzImage at
 * 0x200, in 32-bit kernels at its start, or an uncompressed kernel at its ELF entry, with RSI at
 * boot_params. There is no screen: screen_info stays zero.
 */
import type { BootState, LoadOptions } from './boot-state.ts';
import { type BzImage, SETUP_HEADER } from './bzimage.ts';
import type { ElfFile } from './elf.ts';
import { long64, protected32 } from './entry-states.ts';
import type { ImageWriter } from './image-writer.ts';
import { BOOT_PARAMS_GPA, GIB, PAGE_SIZE } from './layout.ts';
import { loadSegments } from './load-elf.ts';
import { packMemoryMap, writeCmdline } from './memory-tables.ts';

const ENTRY_OFFSET_64 = 0x200;
const CMDLINE_LIMIT = 2047;
const E820_ENTRY_BYTES = 20;
const LOADER_UNDEFINED = 0xff;
/** Lowest address of code linked for the kernel's half of the address space. */
const KERNEL_HALF = 0xffff_8000_0000_0000n;

// boot_params fields outside of the setup header.
const ACPI_RSDP_ADDR = 0x070;
const E820_ENTRIES = 0x1e8;
const E820_TABLE = 0x2d0;
// Setup header fields that the loader fills in, offsets in boot_params.
const TYPE_OF_LOADER = 0x210;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const CMD_LINE_PTR = 0x228;

/** Loads a bzImage that unpacks itself in the guest. */
export function loadCompressed(
  kernel: BzImage,
  writer: ImageWriter,
  options: LoadOptions,
): BootState {
  const bytes = Math.max(kernel.initBytes, kernel.code.length);
  writer.requireRam(kernel.prefAddress, bytes);
  writer.copy(kernel.prefAddress, kernel.code);
  return enter(writer, options, {
    is64Bit: kernel.is64Bit,
    entry: kernel.prefAddress + (kernel.is64Bit ? ENTRY_OFFSET_64 : 0),
    kernelEnd: kernel.prefAddress + bytes,
    header: kernel.header,
    cmdlineLimit: kernel.cmdlineLimit,
    initrdLimit: Math.min(kernel.initrdAddrMax + 1, 4 * GIB),
  });
}

/** True for an uncompressed 64-bit Linux kernel: linked high, entered at a physical address. */
export function isUncompressedLinux(elf: ElfFile): boolean {
  return (
    elf.bits === 64 &&
    elf.segments.some(({ gva }) => gva >= KERNEL_HALF) &&
    elf.segments.some(
      ({ gpa, memoryBytes }) => elf.entry >= BigInt(gpa) && elf.entry < BigInt(gpa + memoryBytes),
    )
  );
}

/** Loads an uncompressed kernel without PVH entry. */
export function loadUncompressed(
  image: Uint8Array,
  elf: ElfFile,
  writer: ImageWriter,
  options: LoadOptions,
): BootState {
  return enter(writer, options, {
    is64Bit: true,
    entry: Number(elf.entry),
    kernelEnd: loadSegments(image, elf, writer),
    header: uncompressedHeader(),
    cmdlineLimit: CMDLINE_LIMIT,
    initrdLimit: 4 * GIB,
  });
}

interface LoadedKernel {
  readonly is64Bit: boolean;
  readonly entry: number;
  readonly kernelEnd: number;
  readonly header: Uint8Array;
  readonly cmdlineLimit: number;
  readonly initrdLimit: number;
}

function enter(writer: ImageWriter, options: LoadOptions, kernel: LoadedKernel): BootState {
  const cmdline = writeCmdline(writer, options, kernel.cmdlineLimit);
  const page = new Uint8Array(PAGE_SIZE);
  const view = new DataView(page.buffer);
  page.set(kernel.header, SETUP_HEADER);
  view.setUint8(TYPE_OF_LOADER, LOADER_UNDEFINED);
  view.setUint32(CMD_LINE_PTR, cmdline, true);
  if (options.initrd) {
    const gpa = writer.placeInitrd(options.initrd, kernel.kernelEnd, kernel.initrdLimit);
    view.setUint32(RAMDISK_IMAGE, gpa, true);
    view.setUint32(RAMDISK_SIZE, options.initrd.length, true);
  }
  view.setBigUint64(ACPI_RSDP_ADDR, BigInt(options.rsdpGpa ?? 0), true);
  view.setUint8(E820_ENTRIES, options.memoryMap.length);
  page.set(packMemoryMap(options.memoryMap, E820_ENTRY_BYTES), E820_TABLE);
  writer.write(BOOT_PARAMS_GPA, page);
  const { entry, is64Bit } = kernel;
  const registers = { rsi: BOOT_PARAMS_GPA };
  return is64Bit
    ? long64(writer, { protocol: 'linux64', entry, registers })
    : protected32(writer, { protocol: 'linux32', entry, registers });
}

/** The fields by which an uncompressed kernel recognises boot_params; it has no header itself. */
function uncompressedHeader(): Uint8Array {
  const header = new Uint8Array(0x290 - SETUP_HEADER);
  const view = new DataView(header.buffer);
  view.setUint16(0x1fe - SETUP_HEADER, 0xaa55, true);
  view.setUint32(0x202 - SETUP_HEADER, 0x53726448, true); // "HdrS"
  view.setUint16(0x206 - SETUP_HEADER, 0x020f, true); // protocol 2.15
  view.setUint8(0x211 - SETUP_HEADER, 1); // LOADED_HIGH
  return header;
}
