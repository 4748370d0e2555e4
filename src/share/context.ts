import { Answer } from './fuse/answer.ts';
import type { Request } from './fuse/request.ts';
import { S_IFMT, S_IFREG } from './fuse/spec.ts';
import {
  GuestMetadata,
  type GuestOwner,
  type GuestView,
  type MetadataStore,
} from './guest-metadata.ts';
import type { HostFolder, HostStat } from './host-folder.ts';
import { type Node, NodeTable } from './nodes.ts';
import { OpenFiles } from './open-files.ts';

/** Seconds for which the guest may believe what it was told of a file, and that a name leads to it. */
const VALID_SECONDS = 1;
/** Bits of an inode number that tell the file systems of a folder apart. */
const DEVICE_SHIFT = 56n;

export interface ShareOptions {
  readonly host: HostFolder;
  readonly metadata: MetadataStore;
  /** whose the files are in the guest */
  readonly owner: GuestOwner;
}

/**
 * Serves one kind of message: reads the rest of the request, writes what follows the answer's header. A number or a
 * thrown `FileError` or error of the host is the error that the guest gets; a function is called with where to report
 * when the work is done, which may be later.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: most operations return nothing
export type Operation = (share: Share, request: Request) => number | Later | void;
export type Later = (done: (errno: number) => void) => void;

/** Everything that operations work on. */
export class Share {
  readonly host: HostFolder;
  readonly metadata: GuestMetadata;
  readonly nodes: NodeTable;
  readonly files: OpenFiles;
  readonly answer = new Answer();
  readonly #devices: bigint[];

  constructor({ host, metadata, owner }: ShareOptions) {
    this.host = host;
    this.metadata = new GuestMetadata(metadata, owner, { uid: host.uid, gid: host.gid });
    this.nodes = new NodeTable(host);
    this.files = new OpenFiles(host, this.nodes, this.metadata);
    this.#devices = [host.stat(host.root).dev];
  }

  /** Writes `fuse_attr`. */
  writeAttributes(stat: HostStat, view: GuestView = this.metadata.view(stat)): void {
    const { answer } = this;
    const isSpecial = (view.mode & S_IFMT) !== S_IFREG && (Number(stat.mode) & S_IFMT) === S_IFREG;
    answer.u64(this.inodeNumber(stat));
    answer.u64(isSpecial ? 0n : stat.size);
    answer.u64(stat.blocks);
    answer.times(stat.atimeNs, stat.mtimeNs, stat.ctimeNs);
    answer.u32(view.mode);
    answer.u32(Number(stat.nlink));
    answer.u32(view.uid);
    answer.u32(view.gid);
    answer.u32(view.device);
    answer.u32(Number(stat.blksize));
    answer.u32(0);
  }

  /** Writes `fuse_attr_out`. */
  writeAttributeAnswer(stat: HostStat): void {
    this.answer.u64(VALID_SECONDS);
    this.answer.u64(0);
    this.writeAttributes(stat);
  }

  /** Writes `fuse_entry_out` for a file that the guest is told of by this. */
  writeEntry(node: Node, stat: HostStat): void {
    const { answer } = this;
    node.lookups++;
    answer.u64(node.id);
    answer.u64(0);
    answer.u64(VALID_SECONDS);
    answer.u64(VALID_SECONDS);
    answer.u64(0);
    this.writeAttributes(stat);
  }

  /** Tells the guest of what it has just made under this name. */
  writeNew(parent: Node, name: string, stat: HostStat): Node {
    const node = this.nodes.learn(parent, name, stat);
    this.writeEntry(node, stat);
    return node;
  }

  /** As stat(2) numbers it, and different for different files although the guest sees one file system. */
  inodeNumber({ dev, ino }: HostStat): bigint {
    let index = this.#devices.indexOf(dev);
    if (index < 0) index = this.#devices.push(dev) - 1;
    return BigInt.asUintN(64, ino ^ (BigInt(index) << DEVICE_SHIFT));
  }
}
