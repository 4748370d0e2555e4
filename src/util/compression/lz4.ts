/**
 * Unpacks LZ4 as the Linux kernel build writes it: the "legacy" frame (LZ4 frame format, section
 * "Legacy frame"): magic, then blocks of a 32-bit size and at most 8 MiB of output each.
 * Left out: the newer frame format and dictionaries.
 *
 * A block is a chain of sequences (LZ4 block format):
 *   token: literal length (high 4 bits), match length - 4 (low 4 bits); 15 means more bytes follow
 *   literals, then a 16-bit distance back into the output from where the match is copied
 */
import { CompressionError } from './compression-error.ts';

const LEGACY_MAGIC = 0x184c2102;
const LEGACY_BLOCK_BYTES = 8 * 1024 * 1024;
const MIN_MATCH = 4;

/** Unpacks a legacy frame. Throws `CompressionError` when it is damaged or exceeds `limit` bytes. */
export function unpackLz4(packed: Uint8Array, limit: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const chunks: Uint8Array[] = [];
  let total = 0;
  let offset = 4;
  while (offset + 4 <= packed.length) {
    const blockBytes = view.getUint32(offset, true);
    offset += 4;
    if (blockBytes === LEGACY_MAGIC) continue; // frames may follow each other
    if (blockBytes === 0 || offset + blockBytes > packed.length) throw damaged();
    const chunk = new Uint8Array(LEGACY_BLOCK_BYTES);
    const bytes = unpackBlock(packed.subarray(offset, offset + blockBytes), chunk);
    total += bytes;
    if (total > limit) throw new CompressionError('The data unpack to more than is allowed.');
    chunks.push(chunk.subarray(0, bytes));
    offset += blockBytes;
  }
  if (chunks.length === 0) throw damaged();
  const output = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    output.set(chunk, at);
    at += chunk.length;
  }
  return output;
}

/** Unpacks one block and returns the number of bytes written to `output`. */
function unpackBlock(block: Uint8Array, output: Uint8Array): number {
  let from = 0;
  let to = 0;

  const extend = (length: number): number => {
    if (length !== 15) return length;
    let byte: number;
    do {
      if (from >= block.length) throw damaged();
      byte = block[from++]!;
      length += byte;
    } while (byte === 255);
    return length;
  };

  while (from < block.length) {
    const token = block[from++]!;
    const literals = extend(token >>> 4);
    if (from + literals > block.length || to + literals > output.length) throw damaged();
    for (let index = 0; index < literals; index++) output[to++] = block[from++]!;
    if (from === block.length) return to; // the last sequence has no match

    if (from + 2 > block.length) throw damaged();
    const distance = block[from]! | (block[from + 1]! << 8);
    from += 2;
    const match = extend(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > to || to + match > output.length) throw damaged();
    // Byte by byte: a match may overlap its own output, to repeat it.
    for (let index = 0; index < match; index++, to++) output[to] = output[to - distance]!;
  }
  return to;
}

function damaged(): CompressionError {
  return new CompressionError('The LZ4 data are damaged.');
}
