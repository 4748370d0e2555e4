/**
 * What the guest knows of the folder: inodes, by numbers that we give, with the names that lead to them. Descriptors
 * are held for directories in use only; everything else is reached from those by its name, and what is found there is
 * compared with what was known, so that a file that was replaced is never taken for the old one.
 */
import { EINVAL, ENOTDIR, ESTALE, FileError } from './fuse/errno.ts';
import { FUSE_ROOT_ID, S_IFDIR, S_IFMT } from './fuse/spec.ts';
import { identityOf } from './guest-metadata.ts';
import type { HostFolder, HostStat } from './host-folder.ts';

/** A name that leads to a node. */
export interface NodeLink {
  readonly parent: Node;
  readonly name: string;
}

export class Node {
  readonly id: number;
  /** kind of the file, one of `S_IF*` */
  readonly type: number;
  /** undefined after a restore, until the file is seen again */
  identity: string | undefined;
  /** how often the guest was told of it and has not forgotten it */
  lookups = 0;
  /** known names, the latest last */
  readonly links: NodeLink[] = [];
  /** links of which this is the parent */
  children = 0;
  /** open files of it, in the order of opening */
  readonly files = new Set<{ readonly descriptor: number }>();
  /** how often it is open as a directory */
  readings = 0;
  /** of a directory in use */
  descriptor: number | undefined;

  constructor(id: number, type: number, identity: string | undefined) {
    this.id = id;
    this.type = type;
    this.identity = identity;
  }

  get isDirectory(): boolean {
    return this.type === S_IFDIR;
  }

  get isNeeded(): boolean {
    return this.lookups + this.children + this.files.size + this.readings > 0;
  }
}

export class NodeTable {
  readonly root: Node;
  readonly #host: HostFolder;
  readonly #byId = new Map<number, Node>();
  readonly #byIdentity = new Map<string, Node>();
  readonly #byName = new Map<string, Node>();
  /** directories with a descriptor, the one not used for longest first */
  readonly #open = new Set<Node>();
  /** of those, the ones that the message in hand uses */
  readonly #inUse = new Set<Node>();
  readonly #maxOpen: number;
  nextId = FUSE_ROOT_ID + 1;

  constructor(host: HostFolder) {
    this.#host = host;
    this.#maxOpen = Math.max(8, Math.floor(host.maxOpen / 4));
    this.root = new Node(FUSE_ROOT_ID, S_IFDIR, undefined);
    this.root.descriptor = host.root;
    this.root.lookups = 1;
    this.#byId.set(FUSE_ROOT_ID, this.root);
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): Iterable<Node> {
    return this.#byId.values();
  }

  /** The node of this number; throws ESTALE for one that the guest does not know. */
  get(id: number): Node {
    const node = this.#byId.get(id);
    if (node === undefined) throw new FileError(ESTALE);
    return node;
  }

  directory(id: number): Node {
    const node = this.get(id);
    if (!node.isDirectory) throw new FileError(ENOTDIR);
    return node;
  }

  /** The node that the guest knows under this name. */
  child(parent: Node, name: string): Node | undefined {
    return this.#byName.get(nameKey(parent, name));
  }

  /** Takes down that `name` leads to a file; returns its node. */
  learn(parent: Node, name: string, stat: HostStat): Node {
    const identity = identityOf(stat);
    const type = Number(stat.mode) & S_IFMT;
    const known = this.child(parent, name);
    let node = this.#byIdentity.get(identity);
    // A node from a restored machine is taken for what stands in its place.
    if (node === undefined && known?.identity === undefined && known?.type === type) node = known;
    if (node === undefined || node.type !== type) {
      node = new Node(this.nextId++, type, identity);
      this.#byId.set(node.id, node);
    }
    node.identity = identity;
    this.#byIdentity.set(identity, node);
    if (known !== node) this.link(node, parent, name);
    return node;
  }

  /** Puts back a node that was saved. */
  insert(node: Node): void {
    this.#byId.set(node.id, node);
  }

  /** From now on `name` leads to `node`. */
  link(node: Node, parent: Node, name: string): void {
    this.unlink(parent, name);
    this.#byName.set(nameKey(parent, name), node);
    node.links.push({ parent, name });
    parent.children++;
  }

  /** `name` leads nowhere any more. */
  unlink(parent: Node, name: string): void {
    const key = nameKey(parent, name);
    const node = this.#byName.get(key);
    if (node === undefined) return;
    this.#byName.delete(key);
    const at = node.links.findIndex((link) => link.parent === parent && link.name === name);
    node.links.splice(at, 1);
    parent.children--;
    // Its parent is in use: names come and go in directories that the guest works in.
    this.#release(node);
  }

  move(parent: Node, name: string, newParent: Node, newName: string): void {
    const node = this.child(parent, name);
    const target = this.child(newParent, newName);
    if (target !== undefined && target === node) return;
    this.unlink(newParent, newName);
    if (node === undefined) return;
    this.link(node, newParent, newName);
    this.unlink(parent, name);
  }

  /** The guest forgets `count` of the times that it was told of a node. */
  forget(id: number, count: number): void {
    const node = this.#byId.get(id);
    if (node === undefined || node === this.root) return;
    node.lookups = Math.max(0, node.lookups - count);
    this.#release(node);
  }

  /** Lets go of a node that nobody needs, and of those above it that were needed for it alone. */
  #release(first: Node): void {
    const candidates = [first];
    for (let node = candidates.pop(); node !== undefined; node = candidates.pop()) {
      if (node === this.root || node.isNeeded) continue;
      if (!this.#byId.delete(node.id)) continue;
      if (node.identity !== undefined && this.#byIdentity.get(node.identity) === node) {
        this.#byIdentity.delete(node.identity);
      }
      this.#closeDirectory(node);
      for (const { parent, name } of node.links.splice(0)) {
        this.#byName.delete(nameKey(parent, name));
        parent.children--;
        candidates.push(parent);
      }
    }
  }

  /** A file or directory is open no more. */
  closed(node: Node): void {
    this.#release(node);
  }

  // Descriptors.

  /** Descriptor of a directory; it stays open until the end of the message. */
  descriptorOf(directory: Node): number {
    if (!directory.isDirectory) throw new FileError(ENOTDIR);
    // From the nearest that is open downwards.
    const path: Node[] = [];
    let node = directory;
    while (node.descriptor === undefined) {
      path.push(node);
      const parent = node.links.at(-1)?.parent;
      if (parent === undefined || path.length > this.size) throw new FileError(ESTALE);
      node = parent;
    }
    let descriptor = node.descriptor;
    this.#use(node);
    for (const below of path.reverse()) {
      const { name } = below.links.at(-1) as NodeLink;
      descriptor = this.#openDirectory(below, descriptor, name);
    }
    this.#inUse.add(directory);
    return descriptor;
  }

  #openDirectory(node: Node, parent: number, name: string): number {
    const descriptor = this.#openChecked(node, parent, name);
    node.descriptor = descriptor;
    this.#use(node);
    if (this.#open.size > this.#maxOpen) {
      for (const oldest of this.#open) {
        if (oldest === node || this.#inUse.has(oldest)) continue;
        this.#closeDirectory(oldest);
        break;
      }
    }
    return descriptor;
  }

  #use(node: Node): void {
    if (node === this.root) return;
    this.#open.delete(node);
    this.#open.add(node);
  }

  #closeDirectory(node: Node): void {
    if (node.descriptor === undefined || node === this.root) return;
    this.#host.close(node.descriptor);
    node.descriptor = undefined;
    this.#open.delete(node);
    this.#inUse.delete(node);
  }

  /** The message is served: directories may be closed again. */
  endMessage(): void {
    if (this.#inUse.size > 0) this.#inUse.clear();
  }

  #openChecked(node: Node, parent: number, name: string): number {
    const descriptor = this.#host.openInode(parent, name);
    try {
      if (this.#isSame(node, this.#host.stat(descriptor))) return descriptor;
    } catch (error) {
      this.#host.close(descriptor);
      throw error;
    }
    this.#host.close(descriptor);
    throw new FileError(ESTALE);
  }

  #isSame(node: Node, stat: HostStat): boolean {
    if ((Number(stat.mode) & S_IFMT) !== node.type) return false;
    const identity = identityOf(stat);
    if (node.identity === undefined && !this.#byIdentity.has(identity)) {
      node.identity = identity;
      this.#byIdentity.set(identity, node);
    }
    return node.identity === identity;
  }

  /** Where a node is: the descriptor of a directory, and its name there. */
  locate(node: Node): { readonly directory: number; readonly name: string } {
    const link = node.links.at(-1);
    if (link === undefined) throw new FileError(node === this.root ? EINVAL : ESTALE);
    return { directory: this.descriptorOf(link.parent), name: link.name };
  }

  stat(node: Node): HostStat {
    if (node.descriptor !== undefined) return this.#host.stat(node.descriptor);
    for (const file of node.files) return this.#host.stat(file.descriptor);
    for (const { parent, name } of node.links.toReversed()) {
      const stat = this.#host.statAt(this.descriptorOf(parent), name);
      if (stat !== undefined && this.#isSame(node, stat)) return stat;
    }
    throw new FileError(ESTALE);
  }

  /** Does something with a descriptor that stands for the node and may be good for nothing but that. */
  withInode<T>(node: Node, use: (descriptor: number) => T): T {
    if (node.isDirectory) return use(this.descriptorOf(node));
    for (const file of node.files) return use(file.descriptor);
    return this.withNamed(node, use);
  }

  /** The same, with what stands under the node's name. */
  withNamed<T>(node: Node, use: (descriptor: number) => T): T {
    const { directory, name } = this.locate(node);
    const descriptor = this.#openChecked(node, directory, name);
    try {
      return use(descriptor);
    } finally {
      this.#host.close(descriptor);
    }
  }

  /** Closes every directory and forgets every node. */
  clear(): void {
    for (const node of [...this.#open]) this.#closeDirectory(node);
    this.#byId.clear();
    this.#byIdentity.clear();
    this.#byName.clear();
    this.#inUse.clear();
    this.root.children = 0;
    this.root.lookups = 1;
    this.root.identity = undefined;
    this.#byId.set(FUSE_ROOT_ID, this.root);
    this.nextId = FUSE_ROOT_ID + 1;
  }
}

function nameKey(parent: Node, name: string): string {
  return `${parent.id}/${name}`;
}
