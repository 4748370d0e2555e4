/** Open files: their contents, and making them durable. */
import type { Later, Operation, Share } from '../context.ts';
import { EEXIST, EFBIG, EINVAL, EROFS, ESTALE, errnoOf } from '../fuse/errno.ts';
import { FOPEN_KEEP_CACHE, FUSE, FUSE_FSYNC_FDATASYNC, O_EXCL, S_IFREG } from '../fuse/spec.ts';
import { hostMode } from '../guest-metadata.ts';
import type { HostStat } from '../host-folder.ts';
import type { Node } from '../nodes.ts';
import { asksToWrite, HOST_FLAGS, type OpenFile } from '../open-files.ts';
import { ownerOfNew, settleMode } from './names.ts';
import { MAX_TRANSFER_BYTES } from './session.ts';

/** Bytes that one copy on the host moves at most, so that it does not keep the processor waiting. */
const MAX_COPY_BYTES = 4 * 2 ** 20;
/** A file that was changed so recently may change again under the same time stamp. */
const RACY_NANOSECONDS = 100_000_000n;

/** Contents of files as of the last time that the guest opened them: it may keep its cache while they are the same. */
const lastOpened = new WeakMap<Node, string>();

function writeOpened(share: Share, file: OpenFile, stat: HostStat): void {
  const { answer, host } = share;
  const version = `${stat.mtimeNs} ${stat.ctimeNs} ${stat.size}`;
  const isKnown = lastOpened.get(file.node) === version;
  const age = BigInt(Math.round(host.now() * 1e9)) - stat.ctimeNs;
  if (age > RACY_NANOSECONDS) lastOpened.set(file.node, version);
  else lastOpened.delete(file.node);
  answer.u64(file.id);
  answer.u32(isKnown ? FOPEN_KEEP_CACHE : 0);
  answer.u32(0);
}

const open: Operation = (share, request) => {
  const { host, nodes, files } = share;
  const flags = request.u32();
  if (host.isReadOnly && asksToWrite(flags)) return EROFS;
  const file = files.openFile(nodes.get(request.node), flags);
  writeOpened(share, file, host.stat(file.descriptor));
  return 0;
};

const create: Operation = (share, request) => {
  const { host, nodes, files, metadata } = share;
  const parent = nodes.directory(request.node);
  const flags = request.u32();
  const mode = request.u32();
  request.skip(8);
  const name = request.name();
  const directory = nodes.descriptorOf(parent);
  files.expectRoom();
  let descriptor: number;
  try {
    descriptor = host.createFile(directory, name, flags & HOST_FLAGS, hostMode(mode, false));
  } catch (error) {
    if (errnoOf(error) !== EEXIST || flags & O_EXCL) throw error;
    return openExisting(share, parent, name, flags);
  }
  try {
    const stat = settleMode(share, descriptor, mode, false);
    metadata.set(stat, ownerOfNew(share, parent, request, (mode & 0o7777) | S_IFREG));
    const node = share.writeNew(parent, name, stat);
    writeOpened(share, files.add(node, flags, descriptor), stat);
  } catch (error) {
    host.close(descriptor);
    throw error;
  }
  return 0;
};

/** The file that somebody else has made first. */
function openExisting(share: Share, parent: Node, name: string, flags: number): number {
  const { host, nodes, files } = share;
  const found = host.statAt(nodes.descriptorOf(parent), name);
  if (found === undefined) return ESTALE;
  const file = files.openFile(nodes.learn(parent, name, found), flags);
  const stat = host.stat(file.descriptor);
  share.writeEntry(file.node, stat);
  writeOpened(share, file, stat);
  return 0;
}

const read: Operation = ({ host, files, answer }, request) => {
  const file = files.file(request.u64());
  const offset = request.u64();
  const size = Math.min(request.u32(), MAX_TRANSFER_BYTES);
  if (offset > Number.MAX_SAFE_INTEGER - size) return EINVAL;
  const target = answer.space(size);
  let done = 0;
  while (done < target.length) {
    const count = host.read(file.descriptor, target.subarray(done), offset + done);
    if (count === 0) break;
    done += count;
  }
  answer.advance(done);
  return 0;
};

const write: Operation = ({ host, files, answer }, request) => {
  const file = files.file(request.u64());
  const offset = request.u64();
  const size = request.u32();
  request.skip(20);
  if (offset > Number.MAX_SAFE_INTEGER - size) return EFBIG;
  const source = request.bytes(size);
  let done = 0;
  while (done < size) {
    try {
      done += host.write(file.descriptor, source.subarray(done), offset + done);
    } catch (error) {
      if (done === 0) throw error;
      break; // what was written counts
    }
  }
  answer.u32(done);
  answer.u32(0);
  return 0;
};

const copy: Operation = ({ host, files, answer }, request) => {
  const from = files.file(request.u64());
  const fromOffset = request.u64();
  request.skip(8);
  const to = files.file(request.u64());
  const toOffset = request.u64();
  const length = Math.min(request.u64(), MAX_COPY_BYTES);
  if (Math.max(fromOffset, toOffset) > Number.MAX_SAFE_INTEGER - length) return EFBIG;
  const piece = new Uint8Array(Math.min(length, MAX_TRANSFER_BYTES));
  let done = 0;
  while (done < length) {
    const wanted = piece.subarray(0, Math.min(piece.length, length - done));
    const count = host.read(from.descriptor, wanted, fromOffset + done);
    if (count === 0) break;
    try {
      let written = 0;
      while (written < count) {
        const rest = piece.subarray(written, count);
        written += host.write(to.descriptor, rest, toOffset + done + written);
      }
    } catch (error) {
      if (done === 0) throw error;
      break;
    }
    done += count;
  }
  answer.u32(done);
  answer.u32(0);
  return 0;
};

const release: Operation = ({ files }, request) => {
  files.close(request.u64());
};

const sync: Operation = ({ host, files }, request): Later => {
  const file = files.file(request.u64());
  const dataOnly = (request.u32() & FUSE_FSYNC_FDATASYNC) !== 0;
  const { descriptor } = file;
  return (done) => host.sync(descriptor, dataOnly, done);
};

export const fileOperations: Readonly<Record<number, Operation>> = {
  [FUSE.OPEN]: open,
  [FUSE.CREATE]: create,
  [FUSE.READ]: read,
  [FUSE.WRITE]: write,
  [FUSE.COPY_FILE_RANGE]: copy,
  [FUSE.RELEASE]: release,
  [FUSE.FSYNC]: sync,
};
