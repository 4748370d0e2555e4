import { rmSync } from 'node:fs';
import { convertImage, openImage } from '../../block/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { Progress } from '../messages.ts';
import { files, formatFor, host, parseFormat, withLock } from './image-host.ts';
import { parseClusterBits } from './size.ts';

export interface ConvertOptions {
  readonly from?: string;
  readonly format?: string;
  readonly clusterSize?: string;
  readonly compress: boolean;
  readonly snapshot?: string;
}

/** `viv disk convert FROM TO`: a copy of the disk that stands on no other image. */
export function convertDisk(from: string, to: string, options: ConvertOptions): void {
  const format = formatFor(to, options.format);
  const source = parseFormat(options.from);
  if (format === 'raw' && (options.compress || options.clusterSize !== undefined)) {
    throw new VivariumError('option-invalid', 'a raw image has no clusters and is not compressed');
  }
  const clusterBits =
    options.clusterSize === undefined ? undefined : parseClusterBits(options.clusterSize);
  const progress = new Progress();
  withLock(from, 'read', source, () => {
    const disk = openImage(host, from, {
      readOnly: true,
      format: source,
      snapshot: options.snapshot,
    });
    try {
      const target = files.create(to);
      try {
        convertImage(disk, target, {
          format,
          codecs: host.codecs,
          clusterBits,
          compress: options.compress,
          progress: (done) => {
            progress.show(`converting ${Math.floor((done / disk.bytes) * 10) * 10} %`);
          },
        });
      } catch (error) {
        rmSync(to, { force: true });
        throw error;
      }
    } finally {
      progress.clear();
      disk.close();
    }
  });
}
