import type { HostFolder } from '../../../src/share/mod.ts';

/** A folder that watches over its descriptors: none is used that is not open, and none stays open. */
export function tracked(folder: HostFolder): {
  readonly folder: HostFolder;
  readonly open: Set<number>;
} {
  const open = new Set<number>([folder.root]);
  const opened = (descriptor: number) => {
    if (open.has(descriptor)) throw new Error(`descriptor ${descriptor} was open already`);
    open.add(descriptor);
    return descriptor;
  };
  const used = (descriptor: number) => {
    if (!open.has(descriptor)) throw new Error(`descriptor ${descriptor} is not open`);
    return descriptor;
  };
  const watched: HostFolder = {
    root: folder.root,
    isReadOnly: folder.isReadOnly,
    uid: folder.uid,
    gid: folder.gid,
    maxOpen: 64,
    now: () => folder.now(),
    openInode: (directory, name) => opened(folder.openInode(used(directory), name)),
    reopen: (descriptor, flags) => opened(folder.reopen(used(descriptor), flags)),
    createFile: (directory, name, flags, mode) =>
      opened(folder.createFile(used(directory), name, flags, mode)),
    close(descriptor) {
      if (descriptor === folder.root) throw new Error('the root was closed');
      open.delete(used(descriptor));
      folder.close(descriptor);
    },
    stat: (descriptor) => folder.stat(used(descriptor)),
    statAt: (directory, name) => folder.statAt(used(directory), name),
    statFileSystem: (descriptor) => folder.statFileSystem(used(descriptor)),
    readDirectory: (directory) => folder.readDirectory(used(directory)),
    readLink: (directory, name) => folder.readLink(used(directory), name),
    makeDirectory: (directory, name, mode) => folder.makeDirectory(used(directory), name, mode),
    makeSymlink: (target, directory, name) => folder.makeSymlink(target, used(directory), name),
    makeLink: (directory, name, to, newName) =>
      folder.makeLink(used(directory), name, used(to), newName),
    rename: (directory, name, to, newName) =>
      folder.rename(used(directory), name, used(to), newName),
    unlink: (directory, name) => folder.unlink(used(directory), name),
    removeDirectory: (directory, name) => folder.removeDirectory(used(directory), name),
    setMode: (descriptor, mode) => folder.setMode(used(descriptor), mode),
    setTimes: (descriptor, accessed, modified) =>
      folder.setTimes(used(descriptor), accessed, modified),
    setSymlinkTimes: (directory, name, accessed, modified) =>
      folder.setSymlinkTimes(used(directory), name, accessed, modified),
    truncate: (descriptor, bytes) => folder.truncate(used(descriptor), bytes),
    read: (descriptor, target, offset) => folder.read(used(descriptor), target, offset),
    write: (descriptor, source, offset) => folder.write(used(descriptor), source, offset),
    sync: (descriptor, dataOnly, done) => folder.sync(used(descriptor), dataOnly, done),
    poll: () => folder.poll(),
    settle: () => folder.settle(),
  };
  return { folder: watched, open };
}
