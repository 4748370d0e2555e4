/** Open directories. */
import type { Later, Operation, Share } from '../context.ts';
import type { Request } from '../fuse/request.ts';
import {
  DIRENT_BYTES,
  ENTRY_BYTES,
  FUSE,
  FUSE_FSYNC_FDATASYNC,
  O_RDONLY,
  S_IFDIR,
  S_IFMT,
} from '../fuse/spec.ts';
import type { HostEntry, HostStat } from '../host-folder.ts';
import type { Node } from '../nodes.ts';
import type { OpenDirectory } from '../open-files.ts';

const HERE: HostEntry = { name: '.', type: S_IFDIR };
const ABOVE: HostEntry = { name: '..', type: S_IFDIR };
/** Between `S_IF*` and the kinds in a directory's entries. */
const TYPE_SHIFT = 12;

const open: Operation = ({ nodes, files, answer }, request) => {
  const directory = files.openDirectory(nodes.directory(request.node));
  answer.u64(directory.id);
  answer.u64(0);
};

/** The entries, as they were when the guest last began at the start. */
function entriesOf(share: Share, directory: OpenDirectory, from: number): readonly HostEntry[] {
  if (from > 0 && directory.entries !== undefined) return directory.entries;
  const { host, nodes, files } = share;
  const entries = [HERE, ABOVE, ...host.readDirectory(nodes.descriptorOf(directory.node))];
  files.keepEntries(directory, entries);
  return entries;
}

function read(share: Share, request: Request, withAttributes: boolean): number {
  const { answer, nodes, host, files } = share;
  const directory = files.directory(request.u64());
  const from = request.u64();
  const end = answer.position + Math.min(request.u32(), answer.room);
  const entries = entriesOf(share, directory, from);
  if (from >= entries.length) files.keepEntries(directory, undefined); // read to its end
  const descriptor = nodes.descriptorOf(directory.node);
  for (let index = from; index < entries.length; index++) {
    const entry = entries[index] as HostEntry;
    const { name } = entry;
    const bytes = (withAttributes ? ENTRY_BYTES : 0) + ((DIRENT_BYTES + name.length + 7) & ~7);
    if (answer.position + bytes > end) break;
    const isDots = entry === HERE || entry === ABOVE;
    const stat = isDots ? statOfDots(share, directory.node, entry) : host.statAt(descriptor, name);
    if (stat === undefined) continue; // gone since
    if (withAttributes) {
      if (isDots) answer.zeroes(ENTRY_BYTES);
      else share.writeEntry(nodes.learn(directory.node, name, stat), stat);
    }
    answer.u64(share.inodeNumber(stat));
    answer.u64(index + 1);
    answer.u32(name.length);
    answer.u32((share.metadata.view(stat).mode & S_IFMT) >> TYPE_SHIFT);
    answer.binaryText(name);
    answer.align();
  }
  return 0;
}

/** The guest gets no number from outside the folder. */
function statOfDots({ nodes }: Share, directory: Node, entry: HostEntry): HostStat {
  const parent = directory.links.at(-1)?.parent ?? directory;
  return nodes.stat(entry === HERE ? directory : parent);
}

const release: Operation = ({ files }, request) => {
  files.close(request.u64());
};

const sync: Operation = ({ host, nodes, files }, request): Later => {
  const directory = files.directory(request.u64());
  const dataOnly = (request.u32() & FUSE_FSYNC_FDATASYNC) !== 0;
  const descriptor = host.reopen(nodes.descriptorOf(directory.node), O_RDONLY);
  return (done) =>
    host.sync(descriptor, dataOnly, (errno) => {
      host.close(descriptor);
      done(errno);
    });
};

export const directoryOperations: Readonly<Record<number, Operation>> = {
  [FUSE.OPENDIR]: open,
  [FUSE.READDIR]: (share, request) => read(share, request, false),
  [FUSE.READDIRPLUS]: (share, request) => read(share, request, true),
  [FUSE.RELEASEDIR]: release,
  [FUSE.FSYNCDIR]: sync,
};
