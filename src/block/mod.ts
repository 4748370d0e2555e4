export { IMAGE_FORMATS, type ImageFormat, probeFormat } from './format.ts';
export { MemoryFile } from './memory-file.ts';
export { type ImageHost, type OpenImageOptions, openImage } from './open-image.ts';
export type { FileOpener, RandomAccessFile } from './random-access-file.ts';
export { RawImage } from './raw/raw-image.ts';
