import { type ImageFormat, imageChain } from '../../../block/mod.ts';
import type { DiskSource } from '../../machine-thread/messages.ts';
import { nodeCodecs } from './codecs.ts';
import { type ImageLock, lockImage } from './image-lock.ts';
import { NodeFiles } from './node-file.ts';

/**
 * Locks the images of a machine's disks, and those behind them. Throws for images that cannot be
 * opened or are in use; then none is locked.
 */
export function lockDisks(sources: readonly DiskSource[]): ImageLock {
  const locks: ImageLock[] = [];
  const release = () => {
    for (const lock of locks.splice(0)) lock.release();
  };
  try {
    for (const { path, format, readOnly, snapshot } of sources) {
      const mode = readOnly || snapshot ? 'read' : 'write';
      locks.push(...lockChain(path, mode, format));
    }
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

/** Locks an image, and for reading those behind it. */
export function lockChain(
  path: string,
  mode: 'read' | 'write',
  format?: ImageFormat,
): readonly ImageLock[] {
  const locks: ImageLock[] = [];
  try {
    const chain = imageChain({ files: new NodeFiles(), codecs: nodeCodecs }, path, format);
    for (const [index, link] of chain.entries()) {
      locks.push(lockImage(link.path, index === 0 ? mode : 'read'));
    }
    return locks;
  } catch (error) {
    for (const lock of locks) lock.release();
    throw error;
  }
}
