/** Small synthetic kernels, and a guest memory that records what a loader writes. */
import { E820, type E820Entry, type LoadOptions } from './boot-state.ts';
import { viewOf } from './elf.ts';

export const MIB = 2 ** 20;

export interface ElfSpec {
  readonly bits?: 32 | 64;
  readonly machine?: number;
  readonly entry?: number;
  readonly segments?: readonly {
    readonly gpa: number;
    readonly gva?: bigint;
    readonly data: Uint8Array;
    readonly memoryBytes?: number;
  }[];
  /** PVH entry point, in a note */
  readonly pvh?: number;
}

/** An ELF file: header, program headers, note, then the segments one after the other. */
export function makeElf(spec: ElfSpec): Uint8Array {
  const bits = spec.bits ?? 64;
  const [headerBytes, programBytes] = bits === 64 ? [64, 56] : [52, 32];
  const segments = spec.segments ?? [];
  const count = segments.length + (spec.pvh === undefined ? 0 : 1);
  const noteAt = Math.ceil((headerBytes + count * programBytes) / 4) * 4;
  const note = spec.pvh === undefined ? new Uint8Array(0) : pvhNote(spec.pvh);
  const dataBytes = segments.reduce((sum, { data }) => sum + data.length, 0);
  const file = new Uint8Array(noteAt + note.length + dataBytes);
  const view = viewOf(file);
  const word = (offset: number, value: bigint | number) =>
    bits === 64
      ? view.setBigUint64(offset, BigInt(value), true)
      : view.setUint32(offset, Number(value), true);

  file.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, spec.machine ?? (bits === 64 ? 62 : 3), true);
  word(24, spec.entry ?? 0);
  word(bits === 64 ? 32 : 28, headerBytes);
  view.setUint16(bits === 64 ? 54 : 42, programBytes, true);
  view.setUint16(bits === 64 ? 56 : 44, count, true);

  const header = (
    index: number,
    type: number,
    fields: { offset: number; gva: bigint; gpa: number; fileBytes: number; memoryBytes: number },
  ) => {
    const at = headerBytes + index * programBytes;
    view.setUint32(at, type, true);
    const values = [fields.offset, fields.gva, fields.gpa, fields.fileBytes, fields.memoryBytes];
    values.forEach((value, position) => {
      word(at + (bits === 64 ? 8 + position * 8 : 4 + position * 4), value);
    });
    word(at + (bits === 64 ? 48 : 28), 4);
  };
  let offset = noteAt;
  if (spec.pvh !== undefined) {
    const fields = { offset, gva: 0n, gpa: 0, fileBytes: note.length, memoryBytes: note.length };
    header(segments.length, 4, fields);
    file.set(note, offset);
    offset += note.length;
  }
  segments.forEach(({ gpa, gva, data, memoryBytes }, index) => {
    header(index, 1, {
      offset,
      gva: gva ?? BigInt(gpa),
      gpa,
      fileBytes: data.length,
      memoryBytes: memoryBytes ?? data.length,
    });
    file.set(data, offset);
    offset += data.length;
  });
  return file;
}

/** A note of another owner, then Xen's with an 8-byte address, as Linux has it. */
function pvhNote(entry: number): Uint8Array {
  const bytes = new Uint8Array(20 + 24);
  const view = viewOf(bytes);
  view.setUint32(0, 4, true);
  view.setUint32(4, 4, true);
  view.setUint32(8, 18, true);
  bytes.set(new TextEncoder().encode('GNU\0'), 12);
  view.setUint32(20, 4, true);
  view.setUint32(24, 8, true);
  view.setUint32(28, 18, true);
  bytes.set(new TextEncoder().encode('Xen\0'), 32);
  view.setBigUint64(36, BigInt(entry), true);
  return bytes;
}

export interface BzImageSpec {
  readonly payload: Uint8Array;
  readonly protocol?: number;
  readonly xloadflags?: number;
  readonly initBytes?: number;
}

/** A bzImage of four setup sectors, a short decompressor and a payload. */
export function makeBzImage(spec: BzImageSpec): Uint8Array {
  const setupBytes = 5 * 512;
  const payloadOffset = 0x400;
  const codeBytes = Math.ceil((payloadOffset + spec.payload.length + 4) / 16) * 16;
  const image = new Uint8Array(setupBytes + codeBytes);
  const view = viewOf(image);
  image[0x1f1] = 4;
  view.setUint32(0x1f4, codeBytes / 16, true);
  view.setUint16(0x1fe, 0xaa55, true);
  image.set([0xeb, 0x6a], 0x200); // jump over the header, whose end it tells
  image.set(new TextEncoder().encode('HdrS'), 0x202);
  view.setUint16(0x206, spec.protocol ?? 0x020f, true);
  image[0x211] = 1;
  view.setUint32(0x22c, 0x7fff_ffff, true);
  view.setUint16(0x236, spec.xloadflags ?? 1, true);
  view.setUint32(0x238, 2047, true);
  view.setUint32(0x248, payloadOffset, true);
  view.setUint32(0x24c, spec.payload.length + 4, true);
  view.setBigUint64(0x258, BigInt(16 * MIB), true);
  view.setUint32(0x260, spec.initBytes ?? MIB, true);
  image.fill(0x90, setupBytes, setupBytes + payloadOffset);
  image.set(spec.payload, setupBytes + payloadOffset);
  return image;
}

/** Guest memory of a few MiB that starts as zero. */
export class RecordingMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  written = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Options for a machine whose RAM is this memory, without the hole below 1 MiB. */
  options(more: Partial<LoadOptions> = {}): LoadOptions {
    const memoryMap: E820Entry[] = [
      { gpa: 0, bytes: 0x9fc00, type: E820.ram },
      { gpa: 0x9fc00, bytes: MIB - 0x9fc00, type: E820.reserved },
    ];
    if (this.bytes.length > MIB) {
      memoryMap.push({ gpa: MIB, bytes: this.bytes.length - MIB, type: E820.ram });
    }
    return {
      cmdline: '',
      memoryBytes: this.bytes.length,
      memoryMap,
      write: (gpa, bytes) => {
        this.bytes.set(bytes, gpa);
        this.written += bytes.length;
      },
      ...more,
    };
  }

  u32(gpa: number): number {
    return this.view.getUint32(gpa, true);
  }

  u64(gpa: number): number {
    return Number(this.view.getBigUint64(gpa, true));
  }

  /** The NUL-terminated text at an address. */
  text(gpa: number): string {
    return new TextDecoder().decode(this.bytes.subarray(gpa, this.bytes.indexOf(0, gpa)));
  }

  slice(gpa: number, length: number): number[] {
    return [...this.bytes.subarray(gpa, gpa + length)];
  }
}

/** Bytes that are not zero and differ from page to page. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => ((index * 7 + (index >> 12) + seed) % 255) + 1);
}
