import { IMAGE_FORMATS, type ImageFormat } from '../../block/mod.ts';
import { type ImageLock, lockChain, NodeFiles, nodeCodecs } from '../../platform/node/disk/mod.ts';
import { VivariumError } from '../../util/mod.ts';

/** What the commands on images work with. */
export const files = new NodeFiles();
export const host = { files, codecs: nodeCodecs };

/** Runs `work` while nobody else uses the image (`write`), or nobody writes it (`read`). */
export function withLock<T>(
  path: string,
  mode: 'read' | 'write',
  format: ImageFormat | undefined,
  work: () => T,
): T {
  const locks: readonly ImageLock[] = lockChain(path, mode, format);
  try {
    return work();
  } finally {
    for (const lock of locks) lock.release();
  }
}

/** Checks the value of an option `--format`. */
export function parseFormat(text: string | undefined): ImageFormat | undefined {
  if (text === undefined) return undefined;
  const format = IMAGE_FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  throw new VivariumError('option-invalid', `"${text}" is no format; use raw or qcow2`);
}

/** The format that a new image should have: what was said, or what its name suggests. */
export function formatFor(path: string, given: string | undefined): ImageFormat {
  return parseFormat(given) ?? (/\.(raw|img|bin)$/i.test(path) ? 'raw' : 'qcow2');
}
