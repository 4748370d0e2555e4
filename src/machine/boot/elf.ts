/**
 * Reads executables in the ELF format (System V ABI, "Object Files" and "Program Loading"), as far
 * as a boot loader needs: header, loadable segments, notes. Little-endian, 32- and 64-bit x86.
 * Left out: sections, symbols, relocations.
 */
import { VivariumError } from '../../util/mod.ts';

const ELF_MAGIC = 0x464c457f; // "\x7fELF", little-endian
const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
const EM_386 = 3;
const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;
const MAX_PROGRAM_HEADERS = 256;

/** A part of the file that belongs into memory. */
export interface ElfSegment {
  readonly offset: number;
  readonly fileBytes: number;
  /** at least `fileBytes`; the rest is zero */
  readonly memoryBytes: number;
  readonly gpa: number;
  /** address the code is linked for */
  readonly gva: bigint;
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly description: Uint8Array;
}

export interface ElfFile {
  readonly bits: 32 | 64;
  /** entry point as the file says it, virtual or physical */
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
}

export function isElf(image: Uint8Array): boolean {
  return image.length >= 4 && viewOf(image).getUint32(0, true) === ELF_MAGIC;
}

/** Reads and checks an ELF file; every range named by the result lies within `image`. */
export function parseElf(image: Uint8Array): ElfFile {
  const view = viewOf(image);
  if (image.length < 16) throw truncated();
  const elfClass = view.getUint8(4);
  if ((elfClass !== ELFCLASS32 && elfClass !== ELFCLASS64) || view.getUint8(5) !== ELFDATA2LSB) {
    throw new VivariumError('kernel-foreign', 'the kernel is an ELF file, but not one for x86');
  }
  const bits = elfClass === ELFCLASS64 ? 64 : 32;
  if (image.length < (bits === 64 ? 64 : 52)) throw truncated();
  const machine = view.getUint16(18, true);
  if (machine !== EM_X86_64 && machine !== EM_386) {
    throw new VivariumError('kernel-foreign', 'the kernel is for another processor than x86');
  }

  const word = (offset: number): bigint =>
    bits === 64 ? view.getBigUint64(offset, true) : BigInt(view.getUint32(offset, true));
  const entry = word(24);
  const tableOffset = Number(word(bits === 64 ? 32 : 28));
  const entryBytes = view.getUint16(bits === 64 ? 54 : 42, true);
  const count = view.getUint16(bits === 64 ? 56 : 44, true);
  if (count > MAX_PROGRAM_HEADERS || entryBytes < (bits === 64 ? 56 : 32)) throw damaged();
  if (tableOffset + count * entryBytes > image.length) throw truncated();

  const segments: ElfSegment[] = [];
  const notes: ElfNote[] = [];
  for (let index = 0; index < count; index++) {
    const header = programHeader(view, tableOffset + index * entryBytes, bits);
    if (header.type !== PT_LOAD && header.type !== PT_NOTE) continue;
    if (header.offset + header.fileBytes > image.length) throw truncated();
    if (header.type === PT_NOTE) {
      const contents = image.subarray(header.offset, header.offset + header.fileBytes);
      notes.push(...parseNotes(contents, header.align === 8 ? 8 : 4));
    } else if (header.memoryBytes > 0) {
      if (header.memoryBytes < header.fileBytes) throw damaged();
      segments.push(header);
    }
  }
  return { bits, entry, segments, notes };
}

interface ProgramHeader extends ElfSegment {
  readonly type: number;
  readonly align: number;
}

function programHeader(view: DataView, at: number, bits: 32 | 64): ProgramHeader {
  const u32 = (offset: number) => view.getUint32(at + offset, true);
  if (bits === 32) {
    return {
      type: u32(0),
      offset: u32(4),
      gva: BigInt(u32(8)),
      gpa: u32(12),
      fileBytes: u32(16),
      memoryBytes: u32(20),
      align: u32(28),
    };
  }
  const u64 = (offset: number) => view.getBigUint64(at + offset, true);
  return {
    type: u32(0),
    // Inexact beyond 2^53, where every later check against a size fails anyhow.
    offset: Number(u64(8)),
    gva: u64(16),
    gpa: Number(u64(24)),
    fileBytes: Number(u64(32)),
    memoryBytes: Number(u64(40)),
    align: Number(u64(48)),
  };
}

/** Reads notes: name size, description size, type, name, description, both padded to `align`. */
function parseNotes(contents: Uint8Array, align: number): ElfNote[] {
  const notes: ElfNote[] = [];
  const view = viewOf(contents);
  const pad = (bytes: number) => Math.ceil(bytes / align) * align;
  let offset = 0;
  while (offset + 12 <= contents.length) {
    const nameBytes = view.getUint32(offset, true);
    const descriptionBytes = view.getUint32(offset + 4, true);
    const nameAt = offset + 12;
    // In 8-byte notes the header and the name are padded together.
    const descriptionAt = offset + pad(12 + nameBytes);
    const end = descriptionAt + descriptionBytes;
    if (end > contents.length) break;
    const rawName = contents.subarray(nameAt, nameAt + Math.max(0, nameBytes - 1));
    notes.push({
      name: String.fromCharCode(...rawName.subarray(0, 64)),
      type: view.getUint32(offset + 8, true),
      description: contents.subarray(descriptionAt, end),
    });
    offset = descriptionAt + pad(descriptionBytes);
  }
  return notes;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function truncated(): VivariumError {
  return new VivariumError('kernel-truncated', 'the kernel file ends too early; it is incomplete');
}

function damaged(): VivariumError {
  return new VivariumError('kernel-damaged', 'the kernel is a damaged ELF file');
}
