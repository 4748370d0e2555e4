import { open, stat } from 'node:fs/promises';
import { VivariumError, why } from '../client/mod.ts';
import { notYet } from './run-options.ts';

/** Bytes of an image that tell its kind: the setup header of a bzImage ends within them. */
const HEAD_BYTES = 1024;
const ELF_MAGIC = '\x7fELF';
const BZIMAGE_MAGIC = 'HdrS';
const BZIMAGE_MAGIC_OFFSET = 0x202;

/** Looks into the IMAGE of `viv run IMAGE`; returns what `--kernel` would be. */
export async function kernelOfImage(path: string): Promise<string> {
  const head = await readHead(path);
  const isKernel =
    head.startsWith(ELF_MAGIC) || head.startsWith(BZIMAGE_MAGIC, BZIMAGE_MAGIC_OFFSET);
  if (!isKernel) throw notYet(`${path} is no kernel; booting from disks is`);
  return path;
}

async function readHead(path: string): Promise<string> {
  try {
    if ((await stat(path)).isFIFO()) throw new Error('it is not a regular file');
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return Buffer.from(buffer.subarray(0, bytesRead)).toString('latin1');
  } catch (error) {
    const message = `cannot read the image ${path}: ${why(error)}`;
    throw new VivariumError('image-unreadable', message, { cause: error });
  }
}
