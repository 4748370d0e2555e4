import { resizeImage } from '../../block/mod.ts';
import { host, parseFormat, withLock } from './image-host.ts';
import { parseDiskSize } from './size.ts';

export interface ResizeOptions {
  readonly format?: string;
  readonly shrink: boolean;
}

/** `viv disk resize FILE SIZE`. */
export function resizeDisk(path: string, size: string, options: ResizeOptions): void {
  const format = parseFormat(options.format);
  const bytes = parseDiskSize(size);
  withLock(path, 'write', format, () => {
    resizeImage(host, path, bytes, { mayShrink: options.shrink, format });
  });
}
