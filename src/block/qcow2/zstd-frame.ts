/**
 * The length of a zstd frame, so that what follows it in a sector can be left out. RFC 8878, section 3.1.1.
 *
 * ```
 * magic (4)   descriptor (1): 7:6 size flag  5 single segment  2 checksum  1:0 dictionary flag
 * window (0 or 1)   dictionary (0, 1, 2, 4)   content size (0, 1, 2, 4, 8)
 * blocks: header (3): 0 last  2:1 kind (raw, run, packed)  23:3 size   then checksum (0 or 4)
 * ```
 */
const MAGIC = 0xfd2f_b528;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const SIZE_BYTES = [0, 2, 4, 8] as const;
const BLOCK_RUN = 1;
const BLOCK_RESERVED = 3;

/** Bytes of the frame that `data` begins with; undefined when it is damaged or cut short. */
export function zstdFrameBytes(data: Uint8Array): number | undefined {
  if (data.length < 9) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  const descriptor = data[4] as number;
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && isSingle ? 1 : (SIZE_BYTES[sizeFlag] as number);
  let at = 5 + (isSingle ? 0 : 1) + (DICTIONARY_BYTES[descriptor & 3] as number) + sizeBytes;
  for (;;) {
    if (at + 3 > data.length) return undefined;
    const header = view.getUint16(at, true) | ((data[at + 2] as number) << 16);
    const kind = (header >> 1) & 3;
    if (kind === BLOCK_RESERVED) return undefined;
    at += 3 + (kind === BLOCK_RUN ? 1 : header >> 3);
    if (header & 1) break;
  }
  if (descriptor & 4) at += 4;
  return at <= data.length ? at : undefined;
}
