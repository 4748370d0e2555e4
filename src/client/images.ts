import { readFile, stat } from 'node:fs/promises';
import { VivariumError } from '../util/mod.ts';

/** An image in memory that belongs to nobody else: it may be moved to another thread. */
export type OwnBytes = Uint8Array<ArrayBuffer>;

/** Reads an image from a path, or copies one that is in memory already. `what` names it in errors. */
export async function readImage(source: string | Uint8Array, what: string): Promise<OwnBytes> {
  if (typeof source !== 'string') return new Uint8Array(source);
  try {
    // A pipe could keep the reading thread, and with it this process, waiting for ever.
    const kind = await stat(source);
    if (!kind.isFile() && !kind.isDirectory()) throw new Error('it is not a regular file');
    const bytes = await readFile(source);
    // A small file may share its memory with others.
    const isAlone = bytes.buffer instanceof ArrayBuffer && bytes.length === bytes.buffer.byteLength;
    return isAlone ? new Uint8Array(bytes.buffer as ArrayBuffer) : new Uint8Array(bytes);
  } catch (error) {
    throw new VivariumError(
      'image-unreadable',
      `cannot read the ${what} ${source}: ${why(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** The reason of a file system error, in words. */
export function why(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EISDIR: 'it is a directory',
    ENOTDIR: 'a part of its path is not a directory',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    ENOSPC: 'the disk is full',
    EROFS: 'the file system is read-only',
    EADDRINUSE: 'something listens there already',
    ERR_FS_FILE_TOO_LARGE: 'it is too large',
  };
  return reasons[code ?? ''] ?? message;
}
