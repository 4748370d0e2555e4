import { deflateRawSync, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import type { ImageCodecs } from '../../../block/mod.ts';

/** Compression of image clusters by the host's own libraries. */
export const nodeCodecs: ImageCodecs = {
  inflateRaw: (packed, bytes) => inflateRawSync(packed, { maxOutputLength: bytes }),
  unzstd: (frame, bytes) => zstdDecompressSync(frame, { maxOutputLength: bytes }),
  deflateRaw: (plain) => deflateRawSync(plain, { windowBits: 12 }),
};
