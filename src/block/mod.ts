export { MemoryFile } from './memory-file.ts';
export type { FileOpener, RandomAccessFile } from './random-access-file.ts';
export { RawImage } from './raw/raw-image.ts';
