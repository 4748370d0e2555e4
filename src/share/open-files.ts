/** Files and directories that the guest has open, by the numbers that we gave them. */
import { EACCES, EBADF, EISDIR, ENFILE, ENOTDIR, ENXIO, errnoOf, FileError } from './fuse/errno.ts';
import {
  O_ACCMODE,
  O_APPEND,
  O_DSYNC,
  O_RDONLY,
  O_SYNC,
  O_TRUNC,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
} from './fuse/spec.ts';
import type { GuestMetadata } from './guest-metadata.ts';
import type { HostEntry, HostFolder } from './host-folder.ts';
import type { Node, NodeTable } from './nodes.ts';

/** Flags of open(2) that matter on the host. */
export const HOST_FLAGS = O_ACCMODE | O_APPEND | O_DSYNC | O_SYNC;
const OWNER_READ_WRITE = 0o600;
/** Entries of directories that are kept between readings; beyond, the oldest list is read anew when wanted. */
const MAX_ENTRIES = 2 ** 20;

/** An open file. After a restore it is opened when it is first used. */
export class OpenFile {
  readonly id: number;
  readonly node: Node;
  readonly flags: number;
  readonly #open: () => number;
  #descriptor: number | undefined;

  constructor(id: number, node: Node, flags: number, open: number | (() => number)) {
    this.id = id;
    this.node = node;
    this.flags = flags & HOST_FLAGS;
    this.#descriptor = typeof open === 'number' ? open : undefined;
    this.#open = typeof open === 'number' ? () => open : open;
  }

  get descriptor(): number {
    this.#descriptor ??= this.#open();
    return this.#descriptor;
  }

  get isOpen(): boolean {
    return this.#descriptor !== undefined;
  }
}

/** An open directory, whose entries are those of when its reading began. */
export class OpenDirectory {
  readonly id: number;
  readonly node: Node;
  entries: readonly HostEntry[] | undefined;

  constructor(id: number, node: Node) {
    this.id = id;
    this.node = node;
  }
}

export class OpenFiles {
  readonly #host: HostFolder;
  readonly #nodes: NodeTable;
  readonly #metadata: GuestMetadata;
  readonly #byId = new Map<number, OpenFile | OpenDirectory>();
  nextId = 1;
  /** directories whose entries are kept, the oldest list first, and how many entries that is */
  readonly #listed = new Set<OpenDirectory>();
  #entries = 0;

  constructor(host: HostFolder, nodes: NodeTable, metadata: GuestMetadata) {
    this.#host = host;
    this.#nodes = nodes;
    this.#metadata = metadata;
  }

  all(): Iterable<OpenFile | OpenDirectory> {
    return this.#byId.values();
  }

  file(id: number): OpenFile {
    const file = this.#byId.get(id);
    if (file instanceof OpenFile) return file;
    throw new FileError(EBADF);
  }

  directory(id: number): OpenDirectory {
    const directory = this.#byId.get(id);
    if (directory instanceof OpenDirectory) return directory;
    throw new FileError(EBADF);
  }

  /** Opens a regular file. Nothing else is ever opened on the host. */
  openFile(node: Node, flags: number): OpenFile {
    this.expectRoom();
    return this.add(node, flags, this.openNode(node, flags));
  }

  openDirectory(node: Node): OpenDirectory {
    if (!node.isDirectory) throw new FileError(ENOTDIR);
    this.expectRoom();
    return this.addDirectory(this.nextId++, node);
  }

  /** Takes over a descriptor. */
  add(node: Node, flags: number, open: number | (() => number), id = this.nextId++): OpenFile {
    const file = new OpenFile(id, node, flags, open);
    this.#byId.set(id, file);
    node.files.add(file);
    return file;
  }

  addDirectory(id: number, node: Node): OpenDirectory {
    const directory = new OpenDirectory(id, node);
    this.#byId.set(id, directory);
    node.readings++;
    return directory;
  }

  /** Keeps the entries of a directory while it is read, or lets them go. */
  keepEntries(directory: OpenDirectory, entries: readonly HostEntry[] | undefined): void {
    this.#entries += (entries?.length ?? 0) - (directory.entries?.length ?? 0);
    directory.entries = entries;
    this.#listed.delete(directory);
    if (entries !== undefined) this.#listed.add(directory);
    for (const oldest of this.#listed) {
      if (this.#entries <= MAX_ENTRIES || oldest === directory) break;
      this.keepEntries(oldest, undefined);
    }
  }

  /** Throws when the guest has as much open as it may. */
  expectRoom(): void {
    if (this.#byId.size >= Math.floor(this.#host.maxOpen / 2)) throw new FileError(ENFILE);
  }

  close(id: number): void {
    const file = this.#byId.get(id);
    if (file === undefined) return;
    this.#byId.delete(id);
    if (file instanceof OpenDirectory) {
      this.keepEntries(file, undefined);
      file.node.readings--;
    } else {
      file.node.files.delete(file);
      if (file.isOpen) this.#host.close(file.descriptor);
    }
    this.#nodes.closed(file.node);
  }

  clear(): void {
    for (const id of [...this.#byId.keys()]) this.close(id);
    this.nextId = 1;
  }

  /** Descriptor of a node that is a regular file for host and guest. */
  openNode(node: Node, flags: number): number {
    return this.#nodes.withInode(node, (inode) => this.reopen(inode, node, flags));
  }

  /** The same for a node that a descriptor stands for. */
  reopen(inode: number, node: Node, flags: number): number {
    const wanted = (flags & HOST_FLAGS) | (flags & O_TRUNC);
    const stat = this.#host.stat(inode);
    const type = this.#metadata.view(stat).mode & S_IFMT;
    if (type === S_IFDIR) throw new FileError(EISDIR);
    if (type !== S_IFREG || node.type !== S_IFREG) throw new FileError(ENXIO);
    try {
      return this.#host.reopen(inode, wanted);
    } catch (error) {
      // The guest's root may what the owner may not; so may the owner, in two steps.
      const isOwn = stat.uid === BigInt(this.#host.uid) && !this.#host.isReadOnly;
      if (errnoOf(error) !== EACCES || !isOwn) throw error;
      const mode = Number(stat.mode) & 0o777;
      this.#host.setMode(inode, mode | OWNER_READ_WRITE);
      try {
        return this.#host.reopen(inode, wanted);
      } finally {
        this.#host.setMode(inode, mode);
      }
    }
  }

  /** Does something with a file opened for a moment. */
  withFile<T>(node: Node, flags: number, use: (descriptor: number) => T): T {
    const descriptor = this.openNode(node, flags);
    try {
      return use(descriptor);
    } finally {
      this.#host.close(descriptor);
    }
  }
}

/** True for flags of open(2) that ask for more than reading. */
export function asksToWrite(flags: number): boolean {
  return (flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0;
}
