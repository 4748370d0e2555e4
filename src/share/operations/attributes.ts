/** Attributes: size, permissions, owner, times. */
import type { Operation, Share } from '../context.ts';
import { EFBIG, EISDIR, EOPNOTSUPP } from '../fuse/errno.ts';
import type { Request } from '../fuse/request.ts';
import {
  FATTR_ATIME,
  FATTR_ATIME_NOW,
  FATTR_FH,
  FATTR_GID,
  FATTR_KILL_SUIDGID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_MTIME_NOW,
  FATTR_SIZE,
  FATTR_UID,
  FUSE,
  FUSE_GETATTR_FH,
  O_WRONLY,
  S_IFLNK,
  S_ISGID,
  S_ISUID,
  S_IXGRP,
} from '../fuse/spec.ts';
import { hostMode } from '../guest-metadata.ts';
import type { Node } from '../nodes.ts';

/** Seconds from 1970 that every file system can hold, give or take: the years 1 to 9999. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;

const getAttributes: Operation = (share, request) => {
  const { host, nodes, files } = share;
  const flags = request.u32();
  request.skip(4);
  const handle = request.u64();
  const node = nodes.get(request.node);
  const isOpen = (flags & FUSE_GETATTR_FH) !== 0 && !node.isDirectory;
  const stat = isOpen ? host.stat(files.file(handle).descriptor) : nodes.stat(node);
  share.writeAttributeAnswer(stat);
};

const setAttributes: Operation = (share, request) => {
  const { nodes } = share;
  const wanted = readSetAttributes(request);
  const node = nodes.get(request.node);
  const { valid } = wanted;
  if (valid & FATTR_SIZE) {
    const errno = setSize(share, node, wanted);
    if (errno !== 0) return errno;
  }
  if (valid & (FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_KILL_SUIDGID)) {
    const errno = setOwnerAndMode(share, node, wanted);
    if (errno !== 0) return errno;
  }
  if (valid & (FATTR_ATIME | FATTR_MTIME)) setTimes(share, node, wanted);
  share.writeAttributeAnswer(nodes.stat(node));
  return 0;
};

type SetAttributes = ReturnType<typeof readSetAttributes>;

function readSetAttributes(request: Request) {
  const valid = request.u32();
  request.skip(4);
  const handle = request.u64();
  const size = request.u64();
  request.skip(8);
  const accessed = Number(request.i64());
  const modified = Number(request.i64());
  request.skip(8);
  const accessedRest = request.u32();
  const modifiedRest = request.u32();
  request.skip(4);
  const mode = request.u32();
  request.skip(4);
  const uid = request.u32();
  const gid = request.u32();
  return {
    valid,
    handle,
    size,
    mode,
    uid,
    gid,
    accessed: accessed + accessedRest / 1e9,
    modified: modified + modifiedRest / 1e9,
  };
}

function setSize(
  { host, files }: Share,
  node: Node,
  { valid, handle, size }: SetAttributes,
): number {
  if (node.isDirectory) return EISDIR;
  if (size > Number.MAX_SAFE_INTEGER) return EFBIG;
  if (valid & FATTR_FH) host.truncate(files.file(handle).descriptor, size);
  else files.withFile(node, O_WRONLY, (descriptor) => host.truncate(descriptor, size));
  return 0;
}

function setOwnerAndMode(share: Share, node: Node, wanted: SetAttributes): number {
  const { host, nodes, metadata } = share;
  const { valid, uid, gid } = wanted;
  let stat = nodes.stat(node);
  const now = metadata.view(stat);
  let mode: number | undefined;
  if (valid & FATTR_MODE) mode = wanted.mode & 0o7777;
  else if (valid & FATTR_KILL_SUIDGID) mode = withoutPrivileges(now.mode & 0o7777);
  if (mode !== undefined && node.type === S_IFLNK) return EOPNOTSUPP;
  const onHost = mode === undefined ? undefined : hostMode(mode, node.isDirectory);
  if (onHost !== undefined && (Number(stat.mode) & 0o7777) !== onHost) {
    nodes.withInode(node, (descriptor) => host.setMode(descriptor, onHost));
    stat = nodes.stat(node);
  }
  metadata.set(stat, {
    mode: mode ?? now.mode,
    uid: valid & FATTR_UID ? uid : now.uid,
    gid: valid & FATTR_GID ? gid : now.gid,
  });
  return 0;
}

/** The set-group-ID bit of a file that nobody may execute means something else. */
function withoutPrivileges(mode: number): number {
  return mode & ~(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0));
}

function setTimes(share: Share, node: Node, wanted: SetAttributes): void {
  const { host, nodes } = share;
  const { valid } = wanted;
  const stat = nodes.stat(node);
  const time = (set: number, isNow: number, given: number, old: bigint): number => {
    if (!(valid & set)) return Number(old) / 1e9;
    if (valid & isNow) return host.now();
    return Math.min(LAST_SECOND, Math.max(FIRST_SECOND, given));
  };
  const accessed = time(FATTR_ATIME, FATTR_ATIME_NOW, wanted.accessed, stat.atimeNs);
  const modified = time(FATTR_MTIME, FATTR_MTIME_NOW, wanted.modified, stat.mtimeNs);
  if (node.type === S_IFLNK) {
    const { directory, name } = nodes.locate(node);
    host.setSymlinkTimes(directory, name, accessed, modified);
  } else {
    nodes.withInode(node, (descriptor) => host.setTimes(descriptor, accessed, modified));
  }
}

export const attributeOperations: Readonly<Record<number, Operation>> = {
  [FUSE.GETATTR]: getAttributes,
  [FUSE.SETATTR]: setAttributes,
};
