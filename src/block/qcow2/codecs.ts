/** What unpacks and packs clusters; the host's business, which has it in machine code. */
export interface ImageCodecs {
  /** Unpacks a raw deflate stream to at most `bytes` bytes; what follows the stream is ignored. Throws for damage. */
  inflateRaw(packed: Uint8Array, bytes: number): Uint8Array;
  /** Unpacks a zstd frame, as above. */
  unzstd(frame: Uint8Array, bytes: number): Uint8Array;
  deflateRaw(plain: Uint8Array): Uint8Array;
}
