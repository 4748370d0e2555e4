import { rmSync } from 'node:fs';
import { createQcow2, imageChain, imageInfo } from '../../block/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import { files, formatFor, host, parseFormat } from './image-host.ts';
import { parseClusterBits, parseDiskSize } from './size.ts';

export interface CreateOptions {
  readonly format?: string;
  readonly backing?: string;
  readonly backingFormat?: string;
  readonly clusterSize?: string;
}

/** `viv disk create FILE [SIZE]`: an empty disk, or one that stands on another. */
export function createDisk(path: string, size: string | undefined, options: CreateOptions): void {
  const format = formatFor(path, options.format);
  if (format === 'raw' && (options.backing ?? options.clusterSize) !== undefined) {
    throw new VivariumError(
      'option-invalid',
      'a raw image has neither clusters nor an image behind it',
    );
  }
  const clusterBits =
    options.clusterSize === undefined ? undefined : parseClusterBits(options.clusterSize);
  const behind = options.backing === undefined ? undefined : backingOf(path, options);
  if (size === undefined && behind === undefined) {
    throw new VivariumError('option-invalid', 'say how large the disk is to be, for example 20G');
  }
  const bytes = size === undefined ? (behind?.bytes as number) : parseDiskSize(size);
  const file = files.create(path);
  try {
    if (format === 'raw') file.truncate(bytes);
    else createQcow2(file, { bytes, clusterBits, backing: behind?.name });
    file.flush();
    file.close();
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

/** The image behind: its name as it goes into the header, and its size. Throws when it cannot be used. */
function backingOf(path: string, { backing = '', backingFormat }: CreateOptions) {
  const place = files.resolve(path, backing);
  const [front] = imageChain(host, place, parseFormat(backingFormat));
  const format = front?.format ?? 'raw';
  const { virtualBytes } = imageInfo(host, place, format);
  return { name: { name: backing, format }, bytes: virtualBytes };
}
