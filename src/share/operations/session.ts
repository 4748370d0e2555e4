/** Beginning and end of a session, what the guest forgets, and the file system as a whole. */
import type { Operation } from '../context.ts';
import { EPROTO } from '../fuse/errno.ts';
import {
  FUSE,
  FUSE_ASYNC_DIO,
  FUSE_ASYNC_READ,
  FUSE_ATOMIC_O_TRUNC,
  FUSE_AUTO_INVAL_DATA,
  FUSE_BIG_WRITES,
  FUSE_CACHE_SYMLINKS,
  FUSE_DO_READDIRPLUS,
  FUSE_MAX_PAGES,
  FUSE_MINOR_VERSION,
  FUSE_OLDEST_MINOR_VERSION,
  FUSE_PARALLEL_DIROPS,
  FUSE_READDIRPLUS_AUTO,
  FUSE_VERSION,
  NAME_MAX,
} from '../fuse/spec.ts';

const WANTED =
  FUSE_ASYNC_READ |
  FUSE_ATOMIC_O_TRUNC |
  FUSE_BIG_WRITES |
  FUSE_AUTO_INVAL_DATA |
  FUSE_DO_READDIRPLUS |
  FUSE_READDIRPLUS_AUTO |
  FUSE_ASYNC_DIO |
  FUSE_PARALLEL_DIROPS |
  FUSE_MAX_PAGES |
  FUSE_CACHE_SYMLINKS;

/** The largest read and write, in bytes and in pages. */
export const MAX_TRANSFER_BYTES = 2 ** 20;
const MAX_TRANSFER_PAGES = MAX_TRANSFER_BYTES / 4096;
const MAX_BACKGROUND = 64;
const CONGESTED = 48;

const initialize: Operation = ({ answer, files, nodes }, request) => {
  const major = request.u32();
  const minor = request.u32();
  const maxReadAhead = request.u32();
  const flags = request.u32();
  files.clear();
  nodes.clear();
  if (major < FUSE_VERSION || (major === FUSE_VERSION && minor < FUSE_OLDEST_MINOR_VERSION)) {
    return EPROTO;
  }
  answer.u32(FUSE_VERSION);
  answer.u32(FUSE_MINOR_VERSION);
  if (major > FUSE_VERSION) {
    answer.zeroes(56); // the guest asks again, with our version
    return 0;
  }
  answer.u32(maxReadAhead);
  answer.u32(flags & WANTED);
  answer.u32(MAX_BACKGROUND | (CONGESTED << 16));
  answer.u32(MAX_TRANSFER_BYTES);
  answer.u32(1); // times are told to the nanosecond
  answer.u32(MAX_TRANSFER_PAGES);
  answer.zeroes(32);
  return 0;
};

const destroy: Operation = ({ files, nodes }) => {
  files.clear();
  nodes.clear();
};

const forget: Operation = ({ nodes }, request) => {
  nodes.forget(request.node, request.u64());
};

const forgetMany: Operation = ({ nodes }, request) => {
  const count = request.u32();
  request.skip(4);
  for (let done = 0; done < count; done++) {
    const id = request.u64();
    nodes.forget(id, request.u64());
  }
};

const statFileSystem: Operation = ({ host, answer }) => {
  const { blocks, bfree, bavail, files, ffree, bsize } = host.statFileSystem(host.root);
  for (const count of [blocks, bfree, bavail, files, ffree]) answer.u64(Math.max(0, count));
  answer.u32(bsize);
  answer.u32(NAME_MAX);
  answer.u32(bsize);
  answer.zeroes(28);
};

export const sessionOperations: Readonly<Record<number, Operation>> = {
  [FUSE.INIT]: initialize,
  [FUSE.DESTROY]: destroy,
  [FUSE.FORGET]: forget,
  [FUSE.BATCH_FORGET]: forgetMany,
  [FUSE.STATFS]: statFileSystem,
};
