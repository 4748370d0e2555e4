/** Opens disk images of any format, with the images that they stand on. */
import type { BlockBackend } from '../bus/mod.ts';
import { type ImageFormat, PROBE_BYTES, requireFormat } from './format.ts';
import type { FileOpener } from './random-access-file.ts';
import { ProbedRawImage, RawImage } from './raw/raw-image.ts';

/** What images need of the host. */
export interface ImageHost {
  readonly files: FileOpener;
}

export interface OpenImageOptions {
  readonly readOnly: boolean;
  /** found out from the image's first bytes when it is not given */
  readonly format?: ImageFormat | undefined;
}

/** Opens the image at `path`. Throws a `VivariumError` in one sentence for what is none, or damaged. */
export function openImage(host: ImageHost, path: string, options: OpenImageOptions): BlockBackend {
  const file = host.files.open(path, options);
  try {
    const head = new Uint8Array(PROBE_BYTES);
    file.read(0, head);
    const format = options.format ?? requireFormat(head, path);
    if (format === 'raw') {
      return options.format === undefined ? new ProbedRawImage(file) : new RawImage(file);
    }
    throw new Error('qcow2');
  } catch (error) {
    file.close();
    throw error;
  }
}
