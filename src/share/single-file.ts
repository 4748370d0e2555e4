/** A folder of the host of which the guest sees one file and nothing else. */
import { EACCES, FileError } from './fuse/errno.ts';
import { S_IFDIR, S_IFMT, S_IFREG } from './fuse/spec.ts';
import type { HostEntry, HostFolder, HostStat } from './host-folder.ts';

const DIRECTORY_MODE = BigInt(S_IFDIR | 0o555);

/** `folder`, in which only the regular file `name` exists, and in which no name can be made, moved or removed. */
export function singleFile(folder: HostFolder, name: string): HostFolder {
  const isFile = (stat: HostStat | undefined) =>
    stat !== undefined && (Number(stat.mode) & S_IFMT) === S_IFREG;
  const refuse = (): never => {
    throw new FileError(EACCES);
  };
  const guard = (wanted: string) => {
    if (wanted !== name) refuse();
  };
  return {
    root: folder.root,
    isReadOnly: folder.isReadOnly,
    uid: folder.uid,
    gid: folder.gid,
    maxOpen: folder.maxOpen,
    now: () => folder.now(),
    openInode(directory, wanted) {
      guard(wanted);
      return folder.openInode(directory, wanted);
    },
    reopen: (descriptor, flags) =>
      descriptor === folder.root ? refuse() : folder.reopen(descriptor, flags),
    createFile: refuse,
    close: (descriptor) => folder.close(descriptor),
    stat(descriptor) {
      const stat = folder.stat(descriptor);
      if (descriptor !== folder.root) return stat;
      return {
        dev: stat.dev,
        ino: stat.ino,
        mode: DIRECTORY_MODE,
        nlink: 2n,
        uid: stat.uid,
        gid: stat.gid,
        rdev: 0n,
        size: 0n,
        blksize: stat.blksize,
        blocks: 0n,
        atimeNs: stat.birthtimeNs,
        mtimeNs: stat.birthtimeNs,
        ctimeNs: stat.birthtimeNs,
        birthtimeNs: stat.birthtimeNs,
      };
    },
    statAt(directory, wanted) {
      const stat = wanted === name ? folder.statAt(directory, wanted) : undefined;
      return isFile(stat) ? stat : undefined;
    },
    statFileSystem: (descriptor) => folder.statFileSystem(descriptor),
    readDirectory(directory): HostEntry[] {
      return isFile(folder.statAt(directory, name)) ? [{ name, type: S_IFREG }] : [];
    },
    readLink: refuse,
    makeDirectory: refuse,
    makeSymlink: refuse,
    makeLink: refuse,
    rename: refuse,
    unlink: refuse,
    removeDirectory: refuse,
    setMode: (descriptor, mode) =>
      descriptor === folder.root ? refuse() : folder.setMode(descriptor, mode),
    setTimes: (descriptor, accessed, modified) =>
      descriptor === folder.root ? refuse() : folder.setTimes(descriptor, accessed, modified),
    setSymlinkTimes: refuse,
    truncate: (descriptor, bytes) => folder.truncate(descriptor, bytes),
    read: (descriptor, target, offset) => folder.read(descriptor, target, offset),
    write: (descriptor, source, offset) => folder.write(descriptor, source, offset),
    sync: (descriptor, dataOnly, done) => folder.sync(descriptor, dataOnly, done),
    poll: () => folder.poll(),
    settle: () => folder.settle(),
  };
}
