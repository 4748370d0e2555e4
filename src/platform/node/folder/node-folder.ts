/**
 * A folder of the host by synchronous calls, on the thread of a machine.
 *
 * Node has no openat(2). What takes its place is a path through /proc/self/fd (proc(5)): Linux goes from there to the very
 * inode that a descriptor stands for, so that `/proc/self/fd/N/name` is `name` in that directory wherever the
 * directory has gone meanwhile. The last step is never followed if it is a symbolic link.
 */
import {
  chmodSync,
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import type { HostEntry, HostFileSystem, HostFolder, HostStat } from '../../../share/mod.ts';
import { FileError } from './file-error.ts';
import { openFilesLimit } from './limits.ts';
import type { Syncer } from './syncer.ts';

/** Opens for nothing but to stand for an inode, open(2); Node has no name for it. */
const O_PATH = 0o10000000;
const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
const EROFS = 30;
const bigint = { bigint: true } as const;
const bigintIfThere = { bigint: true, throwIfNoEntry: false } as const;

export interface NodeFolderOptions {
  /** an existing directory */
  readonly path: string;
  readonly readOnly: boolean;
  /** makes files durable without keeping this thread */
  readonly syncer: Syncer;
  /** folders that share this process's descriptors */
  readonly folders: number;
}

export class NodeFolder implements HostFolder {
  readonly root: number;
  readonly isReadOnly: boolean;
  readonly uid = process.getuid?.() ?? 0;
  readonly gid = process.getgid?.() ?? 0;
  readonly maxOpen: number;
  readonly #syncer: Syncer;

  constructor({ path, readOnly, syncer, folders }: NodeFolderOptions) {
    this.root = openSync(path, O_PATH | O_DIRECTORY);
    this.isReadOnly = readOnly;
    this.#syncer = syncer;
    this.maxOpen = Math.max(
      64,
      Math.min(2 ** 16, Math.floor((openFilesLimit() * 3) / 4 / folders)),
    );
  }

  now(): number {
    return Date.now() / 1000;
  }

  openInode(directory: number, name: string): number {
    return openSync(at(directory, name), O_PATH | O_NOFOLLOW);
  }

  reopen(descriptor: number, flags: number): number {
    if (this.isReadOnly && flags !== constants.O_RDONLY) throw new FileError(EROFS);
    return openSync(inode(descriptor), flags | O_NONBLOCK | O_NOCTTY);
  }

  createFile(directory: number, name: string, flags: number, mode: number): number {
    this.#expectWritable();
    return openSync(at(directory, name), flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, mode);
  }

  close(descriptor: number): void {
    if (!this.#syncer.closeAfter(descriptor)) closeSync(descriptor);
  }

  stat(descriptor: number): HostStat {
    return fstatSync(descriptor, bigint);
  }

  statAt(directory: number, name: string): HostStat | undefined {
    return lstatSync(at(directory, name), bigintIfThere);
  }

  statFileSystem(descriptor: number): HostFileSystem {
    return statfsSync(inode(descriptor));
  }

  readDirectory(directory: number): HostEntry[] {
    const options = { withFileTypes: true, encoding: 'latin1' } as const;
    return readdirSync(inode(directory), options).map((entry) => ({
      name: entry.name,
      type: typeOf(entry),
    }));
  }

  readLink(directory: number, name: string): Uint8Array {
    return readlinkSync(at(directory, name), 'buffer');
  }

  makeDirectory(directory: number, name: string, mode: number): void {
    this.#expectWritable();
    mkdirSync(at(directory, name), mode);
  }

  makeSymlink(target: string, directory: number, name: string): void {
    this.#expectWritable();
    symlinkSync(Buffer.from(target, 'latin1'), at(directory, name));
  }

  makeLink(directory: number, name: string, newDirectory: number, newName: string): void {
    this.#expectWritable();
    linkSync(at(directory, name), at(newDirectory, newName));
  }

  rename(directory: number, name: string, newDirectory: number, newName: string): void {
    this.#expectWritable();
    renameSync(at(directory, name), at(newDirectory, newName));
  }

  unlink(directory: number, name: string): void {
    this.#expectWritable();
    unlinkSync(at(directory, name));
  }

  removeDirectory(directory: number, name: string): void {
    this.#expectWritable();
    rmdirSync(at(directory, name));
  }

  setMode(descriptor: number, mode: number): void {
    this.#expectWritable();
    chmodSync(inode(descriptor), mode);
  }

  setTimes(descriptor: number, accessed: number, modified: number): void {
    this.#expectWritable();
    utimesSync(inode(descriptor), accessed, modified);
  }

  setSymlinkTimes(directory: number, name: string, accessed: number, modified: number): void {
    this.#expectWritable();
    lutimesSync(at(directory, name), accessed, modified);
  }

  truncate(descriptor: number, bytes: number): void {
    this.#expectWritable();
    ftruncateSync(descriptor, bytes);
  }

  read(descriptor: number, target: Uint8Array, offset: number): number {
    return readSync(descriptor, target, 0, target.length, offset);
  }

  write(descriptor: number, source: Uint8Array, offset: number): number {
    this.#expectWritable();
    return writeSync(descriptor, source, 0, source.length, offset);
  }

  sync(descriptor: number, dataOnly: boolean, done: (errno: number) => void): void {
    this.#syncer.sync(descriptor, dataOnly, done);
  }

  poll(): boolean {
    return this.#syncer.poll();
  }

  settle(): void {
    this.#syncer.settle();
  }

  /** Gives the folder back; nothing of it may be open any more. */
  dispose(): void {
    closeSync(this.root);
  }

  #expectWritable(): void {
    if (this.isReadOnly) throw new FileError(EROFS);
  }
}

/** The inode that a descriptor stands for. */
function inode(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

/** `name` in a directory. The check is the guest's last hurdle, should all others have failed. */
function at(directory: number, name: string): string | Buffer {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw new Error('a name that leads out of its directory');
  }
  const path = `/proc/self/fd/${directory}/${name}`;
  return isAscii(path) ? path : Buffer.from(path, 'latin1');
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

/** One of `S_IF*`. */
function typeOf(entry: Dirent): number {
  if (entry.isFile()) return constants.S_IFREG;
  if (entry.isDirectory()) return constants.S_IFDIR;
  if (entry.isSymbolicLink()) return constants.S_IFLNK;
  return 0;
}
