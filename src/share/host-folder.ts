/** What of a file the host tells; names and units are those of stat(2) and Node's `BigIntStats`. */
export interface HostStat {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mode: bigint;
  readonly nlink: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly rdev: bigint;
  readonly size: bigint;
  readonly blksize: bigint;
  readonly blocks: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birthtimeNs: bigint;
}

/** What of a file system the host tells, as statfs(2) does. */
export interface HostFileSystem {
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly bsize: number;
}

/** An entry of a directory. */
export interface HostEntry {
  /** one character a byte */
  readonly name: string;
  /** kind of the file, one of `S_IF*`; 0 when the host does not tell */
  readonly type: number;
}

/**
 * A folder of the host, seen through descriptors: an inode is reached from the descriptor of a directory and one name
 * in it, and the host never follows a symbolic link on the way. So no name and no race leads out of the folder.
 *
 * Names are plain (`isPlainName`), one character a byte. Every call may throw an error with the `errno` of Linux,
 * negative as libuv makes it.
 */
export interface HostFolder {
  /** descriptor of the folder itself; never closed before `close` */
  readonly root: number;
  /** refuses every change */
  readonly isReadOnly: boolean;
  /** whose files this process makes */
  readonly uid: number;
  readonly gid: number;
  /** descriptors that one guest may hold open */
  readonly maxOpen: number;
  /** seconds since 1970 */
  now(): number;

  /** Opens what `name` is, whatever that is, for nothing but to be told of: O_PATH, O_NOFOLLOW. */
  openInode(directory: number, name: string): number;
  /** Opens the file behind a descriptor once more, with other flags. Only for regular files and directories. */
  reopen(descriptor: number, flags: number): number;
  /** Makes a file that was not there: O_CREAT, O_EXCL. */
  createFile(directory: number, name: string, flags: number, mode: number): number;
  close(descriptor: number): void;

  stat(descriptor: number): HostStat;
  /** Undefined when there is nothing of that name. */
  statAt(directory: number, name: string): HostStat | undefined;
  statFileSystem(descriptor: number): HostFileSystem;
  readDirectory(directory: number): HostEntry[];
  readLink(directory: number, name: string): Uint8Array;

  makeDirectory(directory: number, name: string, mode: number): void;
  makeSymlink(target: string, directory: number, name: string): void;
  makeLink(directory: number, name: string, newDirectory: number, newName: string): void;
  rename(directory: number, name: string, newDirectory: number, newName: string): void;
  unlink(directory: number, name: string): void;
  removeDirectory(directory: number, name: string): void;

  /** Permissions of the file behind a descriptor, which is not a symbolic link. */
  setMode(descriptor: number, mode: number): void;
  /** Times in seconds. */
  setTimes(descriptor: number, accessed: number, modified: number): void;
  setSymlinkTimes(directory: number, name: string, accessed: number, modified: number): void;
  /** Size of a file that was opened for writing. */
  truncate(descriptor: number, bytes: number): void;

  /** Reads at `offset`; returns how many bytes there were. */
  read(descriptor: number, target: Uint8Array, offset: number): number;
  /** Writes at `offset`, or at the end of a file opened with O_APPEND; returns how many bytes were. */
  write(descriptor: number, source: Uint8Array, offset: number): number;
  /** Makes a file durable; calls back, now or in `poll`, with 0 or an error number. */
  sync(descriptor: number, dataOnly: boolean, done: (errno: number) => void): void;
  /** Calls back what is done. True when there was something. */
  poll(): boolean;
  /** Waits for everything under way. */
  settle(): void;
}
