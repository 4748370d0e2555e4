/** Tells compression formats apart by their first bytes. */

export type CompressionFormat = 'gzip' | 'xz' | 'zstd' | 'lz4';

const signatures: readonly [format: CompressionFormat, ...bytes: number[]][] = [
  ['gzip', 0x1f, 0x8b, 0x08],
  ['xz', 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  ['zstd', 0x28, 0xb5, 0x2f, 0xfd],
  ['lz4', 0x02, 0x21, 0x4c, 0x18], // the legacy frame, which the Linux build writes
];

/** The format of packed data, or undefined for anything else. */
export function detectCompression(bytes: Uint8Array): CompressionFormat | undefined {
  for (const [format, ...signature] of signatures) {
    if (signature.every((byte, index) => bytes[index] === byte)) return format;
  }
  return undefined;
}
