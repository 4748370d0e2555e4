/** Files of disk images, by synchronous calls: they are made on the thread of a machine. */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import type { FileOpener, RandomAccessFile } from '../../../block/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { reasonOf } from './reason.ts';

/** What happens while the host's disk is full. */
export interface DiskFullHandler {
  /** Waits a while; true to try again, false to let the write fail. */
  onFull(name: string): boolean;
  /** A write that had to wait was done. */
  onRoom(): void;
}

const refuse: DiskFullHandler = { onFull: () => false, onRoom: () => {} };

export class NodeFile implements RandomAccessFile {
  readonly name: string;
  readonly isReadOnly: boolean;
  readonly #fd: number;
  readonly #full: DiskFullHandler;
  /** of a block device, whose size `stat` does not tell */
  readonly #fixedBytes: number | undefined;

  constructor(name: string, fd: number, isReadOnly: boolean, full: DiskFullHandler = refuse) {
    this.name = name;
    this.isReadOnly = isReadOnly;
    this.#fd = fd;
    this.#full = full;
    const stats = fstatSync(fd);
    this.#fixedBytes = stats.isBlockDevice() ? blockDeviceBytes(stats) : undefined;
  }

  size(): number {
    return this.#fixedBytes ?? this.#guard('read', () => fstatSync(this.#fd).size);
  }

  read(offset: number, target: Uint8Array): void {
    this.#guard('read', () => {
      let done = 0;
      while (done < target.length) {
        const count = readSync(this.#fd, target, done, target.length - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      target.fill(0, done);
    });
  }

  write(offset: number, source: Uint8Array): void {
    let done = 0;
    while (done < source.length) {
      done += this.#guard('write', () =>
        writeSync(this.#fd, source, done, source.length - done, offset + done),
      );
    }
  }

  truncate(bytes: number): void {
    if (this.#fixedBytes === undefined) this.#guard('write', () => ftruncateSync(this.#fd, bytes));
  }

  flush(): void {
    this.#guard('write', () => fdatasyncSync(this.#fd));
  }

  allocatedBytes(): number | undefined {
    const { blocks } = fstatSync(this.#fd);
    return this.#fixedBytes === undefined ? blocks * 512 : undefined;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #guard<T>(verb: 'read' | 'write', work: () => T): T {
    let hasWaited = false;
    for (;;) {
      try {
        const result = work();
        if (hasWaited) this.#full.onRoom();
        return result;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EINTR' || code === 'EAGAIN') continue;
        const isFull = code === 'ENOSPC' || code === 'EDQUOT';
        if (isFull && this.#full.onFull(this.name)) {
          hasWaited = true;
          continue;
        }
        throw new VivariumError(
          isFull ? 'disk-full' : 'disk-io',
          `cannot ${verb} the disk image ${this.name}: ${reasonOf(error)}`,
          { cause: error },
        );
      }
    }
  }
}

/** Size of a block device, which Linux tells in sectors of 512 bytes. */
function blockDeviceBytes({ rdev }: Stats): number {
  const major = (rdev >> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
  return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * 512;
}

/** Opens image files of the host. */
export class NodeFiles implements FileOpener {
  readonly #full: DiskFullHandler | undefined;

  constructor(full?: DiskFullHandler) {
    this.#full = full;
  }

  open(path: string, options: { readonly readOnly: boolean }): NodeFile {
    const { readOnly } = options;
    let fd: number | undefined;
    try {
      // A pipe without a writer would keep the thread waiting.
      fd = openSync(
        path,
        (readOnly ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK,
      );
      const stats = fstatSync(fd);
      if (stats.isDirectory()) throw new Error('it is a directory');
      if (!stats.isFile() && !stats.isBlockDevice()) throw new Error('it is not a regular file');
      return new NodeFile(path, fd, readOnly, this.#full);
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      const purpose = readOnly ? 'read' : 'open for writing';
      throw new VivariumError(
        'disk-unreadable',
        `cannot ${purpose} the disk image ${path}: ${reasonOf(error)}`,
        { cause: error },
      );
    }
  }

  /** Makes an empty file; refuses to replace one. */
  create(path: string): NodeFile {
    try {
      return new NodeFile(path, openSync(path, 'wx+'), false, this.#full);
    } catch (error) {
      throw new VivariumError(
        'disk-unwritable',
        `cannot create the disk image ${path}: ${reasonOf(error)}`,
        { cause: error },
      );
    }
  }

  resolve(base: string, name: string): string {
    return isAbsolute(name) ? name : join(dirname(base), name);
  }
}
