export { assert, unreachable } from './assert.ts';
export { CompressionError } from './compression/compression-error.ts';
export { type DecompressOptions, decompress } from './compression/decompress.ts';
export { type CompressionFormat, detectCompression } from './compression/detect.ts';
export { VivariumError } from './error.ts';
export { isZero } from './is-zero.ts';
