/** Copies a disk into another image. */
import type { BlockBackend } from '../bus/mod.ts';
import { isZero } from '../util/mod.ts';
import type { ImageFormat } from './format.ts';
import type { ImageCodecs } from './qcow2/codecs.ts';
import { CompressedWriter } from './qcow2/compressed-writer.ts';
import { createQcow2 } from './qcow2/create.ts';
import { Qcow2Image } from './qcow2/image.ts';
import type { RandomAccessFile } from './random-access-file.ts';
import { RawImage } from './raw/raw-image.ts';

const PIECE_BYTES = 2 ** 20;

export interface ConvertOptions {
  readonly format: ImageFormat;
  readonly codecs: ImageCodecs;
  readonly clusterBits?: number | undefined;
  /** deflate the clusters; qcow2 alone */
  readonly compress?: boolean | undefined;
  /** told how many bytes of the disk are done */
  readonly progress?: ((done: number) => void) | undefined;
}

/** Copies all of `source` into the empty file `target`, which is closed afterwards. Zeroes take no space. */
export function convertImage(
  source: BlockBackend,
  target: RandomAccessFile,
  options: ConvertOptions,
): void {
  if (options.format === 'raw') {
    target.truncate(source.bytes);
    copy(source, new RawImage(target), options);
    return;
  }
  createQcow2(target, { bytes: source.bytes, clusterBits: options.clusterBits });
  const image = new Qcow2Image({ file: target, codecs: options.codecs });
  if (options.compress === true) copyCompressed(source, target, image, options);
  else copy(source, image, options);
}

function copy(source: BlockBackend, target: BlockBackend, { progress }: ConvertOptions): void {
  const unit = Math.min(PIECE_BYTES, Math.max(4096, target.clusterBytes));
  for (let at = 0; at < source.bytes; at += PIECE_BYTES) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, source.bytes - at));
    source.read(at, piece);
    for (const { from, to } of runs(piece, unit)) target.write(at + from, piece.subarray(from, to));
    progress?.(at + piece.length);
  }
  target.close();
}

/** The stretches of `piece` that are not zero, in steps of `unit`. */
function* runs(piece: Uint8Array, unit: number): Generator<{ from: number; to: number }> {
  let start = -1;
  for (let at = 0; at < piece.length; at += unit) {
    const isEmpty = isZero(piece.subarray(at, at + unit));
    if (isEmpty && start >= 0) {
      yield { from: start, to: at };
      start = -1;
    } else if (!isEmpty && start < 0) start = at;
  }
  if (start >= 0) yield { from: start, to: piece.length };
}

function copyCompressed(
  source: BlockBackend,
  file: RandomAccessFile,
  image: Qcow2Image,
  { codecs, progress }: ConvertOptions,
): void {
  const writer = new CompressedWriter(file, image);
  const { clusterBytes } = image;
  for (let at = 0; at < source.bytes; at += clusterBytes) {
    const length = Math.min(clusterBytes, source.bytes - at);
    const cluster = new Uint8Array(clusterBytes);
    source.read(at, cluster.subarray(0, length));
    if (!isZero(cluster)) {
      const packed = codecs.deflateRaw(cluster);
      if (packed.length < clusterBytes) writer.write(at / clusterBytes, packed);
      else image.write(at, cluster.subarray(0, length));
    }
    progress?.(at + length);
  }
  image.close();
}
