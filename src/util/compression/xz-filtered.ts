/**
 * Prepares xz data that went through the x86 filter, as the Linux build packs its kernels, for a
 * decoder that knows LZMA2 alone: takes the LZMA2 data out and puts them into a plain container
 * (The .xz File Format 1.2.1, sections 2 to 4). Left out: other filters, several blocks.
 *
 *   stream header   magic FD "7zXZ" 00, flags: 00 and the kind of check, CRC-32 of the flags
 *   block header    size, flags, [sizes], filters, padding, CRC-32
 *   LZMA2 data, padding to 4 bytes, check
 *   index           00, number of records, unpadded size and unpacked size, padding, CRC-32
 *   stream footer   CRC-32, size of the index, flags, "YZ"
 */
import { CompressionError } from './compression-error.ts';
import { crc32 } from './crc32.ts';

const STREAM_HEADER_BYTES = 12;
const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const CHECK_CRC32 = 1;
const FILTER_X86 = 0x04;
const FILTER_LZMA2 = 0x21;
const HAS_PACKED_SIZE = 0x40;
const HAS_UNPACKED_SIZE = 0x80;

export interface FilteredXz {
  /** the same LZMA2 data in a container without filter and check */
  readonly plain: Uint8Array;
  /** CRC-32 of the data after the filter is undone, if the container has one */
  readonly crc32: number | undefined;
}

/** Undefined for data without the x86 filter. */
export function plainXz(packed: Uint8Array): FilteredXz | undefined {
  if (packed.length < STREAM_HEADER_BYTES + 8) return undefined;
  const check = packed[7]! & 15;
  const headerBytes = (packed[STREAM_HEADER_BYTES]! + 1) * 4;
  const header = packed.subarray(STREAM_HEADER_BYTES, STREAM_HEADER_BYTES + headerBytes);
  if (!hasX86Filter(header)) return undefined;
  const start = STREAM_HEADER_BYTES + headerBytes;
  const { packedBytes, unpackedBytes } = measureLzma2(packed, start);
  const checkAt = start + align4(packedBytes);
  let sum: number | undefined;
  if (check === CHECK_CRC32) {
    if (checkAt + 4 > packed.length) throw damaged();
    sum = new DataView(packed.buffer, packed.byteOffset).getUint32(checkAt, true);
  }
  const data = packed.subarray(start, start + packedBytes);
  return { plain: wrap(data, unpackedBytes), crc32: sum };
}

/** True for exactly the filters x86 and LZMA2. */
function hasX86Filter(header: Uint8Array): boolean {
  const flags = header[1] ?? 0;
  if ((flags & 3) !== 1) return false;
  let at = 2;
  for (const size of [HAS_PACKED_SIZE, HAS_UNPACKED_SIZE]) {
    if ((flags & size) === 0) continue;
    while ((header[at++] ?? 0) & 0x80); // a number of several bytes
  }
  return header[at] === FILTER_X86 && header[at + 1] === 0 && header[at + 2] === FILTER_LZMA2;
}

/** Walks the chunks of LZMA2 data, each of which tells its sizes, to their end. */
function measureLzma2(bytes: Uint8Array, start: number) {
  let at = start;
  let unpackedBytes = 0;
  const u16 = (offset: number) => ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
  while (at < bytes.length) {
    const control = bytes[at]!;
    if (control === 0) return { packedBytes: at + 1 - start, unpackedBytes };
    if (control >= 0x80) {
      unpackedBytes += ((control & 0x1f) << 16) + u16(at + 1) + 1;
      at += (control >= 0xc0 ? 6 : 5) + u16(at + 3) + 1;
    } else if (control <= 2) {
      unpackedBytes += u16(at + 1) + 1;
      at += 3 + u16(at + 1) + 1;
    } else {
      throw damaged();
    }
  }
  throw damaged();
}

function wrap(data: Uint8Array, unpackedBytes: number): Uint8Array {
  const flags = [0, 0]; // no check
  const header = withCrc([2, 0, FILTER_LZMA2, 1, dictionarySize(unpackedBytes), 0, 0, 0]);
  const sizes = [...number(header.length + data.length), ...number(unpackedBytes)];
  const index = withCrc(padded([0, 1, ...sizes]));
  const backward = u32(index.length / 4 - 1);
  const parts = [
    [...MAGIC, ...withCrc(flags)],
    header,
    data,
    new Uint8Array(align4(data.length) - data.length),
    index,
    [...u32(crc32(Uint8Array.from([...backward, ...flags]))), ...backward, ...flags, 0x59, 0x5a],
  ];
  const output = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    output.set(part, at);
    at += part.length;
  }
  return output;
}

/**
 * The code of the smallest dictionary, 2 or 3 times a power of two, that holds all of the output;
 * packers name larger ones than they need.
 */
function dictionarySize(unpackedBytes: number): number {
  let code = 0;
  while (code < 40 && (2 | (code & 1)) * 2 ** ((code >> 1) + 11) < unpackedBytes) code++;
  return code;
}

/** A number in 7-bit groups, lowest first. */
function number(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}

function withCrc(bytes: readonly number[]): number[] {
  return [...bytes, ...u32(crc32(Uint8Array.from(bytes)))];
}

function padded(bytes: readonly number[]): number[] {
  return [...bytes, ...new Array<number>(align4(bytes.length) - bytes.length).fill(0)];
}

function u32(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}

function align4(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

function damaged(): CompressionError {
  return new CompressionError('The xz data are damaged or incomplete.');
}
