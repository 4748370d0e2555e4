import { VivariumError } from '../util/mod.ts';
import type { ImageFormat } from './format.ts';
import { imageInfo } from './image-info.ts';
import { type ImageHost, openImage } from './open-image.ts';
import { Qcow2Image } from './qcow2/image.ts';

/**
 * Gives the disk at `path` the capacity `bytes`. Throws `disk-shrink` when that would cut it and
 * `mayShrink` is false.
 */
export function resizeImage(
  host: ImageHost,
  path: string,
  bytes: number,
  options: { readonly mayShrink: boolean; readonly format?: ImageFormat | undefined },
): void {
  const info = imageInfo(host, path, options.format);
  if (bytes < info.virtualBytes && !options.mayShrink) {
    throw new VivariumError(
      'disk-shrink',
      `${path} holds a disk of ${info.virtualBytes} bytes, of which the end would be lost; add --shrink if that is meant`,
    );
  }
  if (info.format === 'raw') {
    const file = host.files.open(path, { readOnly: false });
    try {
      file.truncate(bytes);
      file.flush();
    } finally {
      file.close();
    }
    return;
  }
  resizeChainFront(host, path, bytes);
}

function resizeChainFront(host: ImageHost, path: string, bytes: number): void {
  const front = openImage(host, path, { readOnly: false, format: 'qcow2' });
  try {
    if (!(front instanceof Qcow2Image)) throw new Error('a qcow2 image that is none');
    front.resize(bytes);
  } finally {
    front.close();
  }
}
