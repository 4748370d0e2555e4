export { type ConvertOptions, convertImage } from './convert.ts';
export { IMAGE_FORMATS, type ImageFormat, probeFormat } from './format.ts';
export { type ImageInfo, imageInfo, type Qcow2Info } from './image-info.ts';
export { MemoryFile } from './memory-file.ts';
export {
  type ChainLink,
  type ImageHost,
  imageChain,
  type OpenImageOptions,
  openImage,
} from './open-image.ts';
export { temporaryOverlay } from './overlay.ts';
export type { CheckReport } from './qcow2/check.ts';
export type { ImageCodecs } from './qcow2/codecs.ts';
export { type CreateQcow2Options, createQcow2 } from './qcow2/create.ts';
export { Qcow2Image } from './qcow2/image.ts';
export { checkImage, repairImage } from './qcow2/repair.ts';
export type { Qcow2Snapshot } from './qcow2/snapshots.ts';
export type { FileOpener, RandomAccessFile } from './random-access-file.ts';
export { RawImage } from './raw/raw-image.ts';
export { resizeImage } from './resize.ts';
