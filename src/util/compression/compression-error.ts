/** Compressed data that cannot be unpacked. Callers say in their own words which file it was. */
export class CompressionError extends Error {
  override readonly name = 'CompressionError';
}
