/** Operations on names: finding, making, moving and removing them. */
import type { Operation, Share } from '../context.ts';
import { EEXIST, EINVAL, ENAMETOOLONG, ENOENT, EOPNOTSUPP, ESTALE } from '../fuse/errno.ts';
import type { Request } from '../fuse/request.ts';
import {
  FUSE,
  O_RDONLY,
  PATH_MAX,
  RENAME_NOREPLACE,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
} from '../fuse/spec.ts';
import { type GuestOwner, hostMode, identityOf } from '../guest-metadata.ts';
import type { HostStat } from '../host-folder.ts';
import type { Node } from '../nodes.ts';

/** Mode on the host of an empty file that stands for a device, pipe or socket of the guest. */
const SPECIAL_MODE = 0o600;

const lookUp: Operation = (share, request) => {
  const { host, nodes } = share;
  const parent = nodes.directory(request.node);
  const name = request.name();
  const stat = host.statAt(nodes.descriptorOf(parent), name);
  if (stat === undefined) {
    nodes.unlink(parent, name);
    return ENOENT;
  }
  share.writeEntry(nodes.learn(parent, name, stat), stat);
  return 0;
};

/** Whose a new file is, and its mode: a directory with the set-group-ID bit passes on its group. */
export function ownerOfNew(
  { metadata, nodes }: Share,
  parent: Node,
  { uid, gid }: Request,
  mode: number,
): GuestOwner & { readonly mode: number } {
  if (!metadata.isEmpty) {
    const above = metadata.view(nodes.stat(parent));
    if (above.mode & S_ISGID) {
      const inherited = (mode & S_IFMT) === S_IFDIR ? S_ISGID : 0;
      return { uid, gid: above.gid, mode: mode | inherited };
    }
  }
  return { uid, gid, mode };
}

/** Gives a new file or directory its mode on the host, whatever the umask made of it. */
export function settleMode(
  share: Share,
  descriptor: number,
  mode: number,
  isDirectory: boolean,
): HostStat {
  const { host } = share;
  const stat = host.stat(descriptor);
  const wanted = hostMode(mode, isDirectory);
  if ((Number(stat.mode) & 0o777) === wanted) return stat;
  host.setMode(descriptor, wanted);
  return host.stat(descriptor);
}

const makeDirectory: Operation = (share, request) => {
  const { host, nodes, metadata } = share;
  const parent = nodes.directory(request.node);
  const mode = request.u32();
  request.skip(4);
  const name = request.name();
  const directory = nodes.descriptorOf(parent);
  const owner = ownerOfNew(share, parent, request, (mode & 0o7777) | S_IFDIR);
  host.makeDirectory(directory, name, hostMode(mode, true));
  const descriptor = host.openInode(directory, name);
  try {
    const stat = host.stat(descriptor);
    if ((Number(stat.mode) & S_IFMT) !== S_IFDIR) return ESTALE; // replaced already
    const settled = settleMode(share, descriptor, mode, true);
    metadata.set(settled, owner);
    share.writeNew(parent, name, settled);
  } finally {
    host.close(descriptor);
  }
  return 0;
};

const makeNode: Operation = (share, request) => {
  const { host, nodes, metadata } = share;
  const parent = nodes.directory(request.node);
  const mode = request.u32();
  const device = request.u32();
  request.skip(8);
  const name = request.name();
  const type = mode & S_IFMT;
  if (type === S_IFDIR || type === S_IFLNK) return EINVAL;
  const isRegular = type === S_IFREG || type === 0;
  const owner = ownerOfNew(share, parent, request, mode);
  const onHost = isRegular ? mode : SPECIAL_MODE;
  const descriptor = host.createFile(
    nodes.descriptorOf(parent),
    name,
    O_RDONLY,
    hostMode(onHost, false),
  );
  try {
    const stat = settleMode(share, descriptor, onHost, false);
    if (isRegular) metadata.set(stat, owner);
    else metadata.setSpecial(stat, { type, device }, { uid: owner.uid, gid: owner.gid }, mode);
    share.writeNew(parent, name, stat);
  } finally {
    host.close(descriptor);
  }
  return 0;
};

const makeSymlink: Operation = (share, request) => {
  const { host, nodes, metadata } = share;
  const parent = nodes.directory(request.node);
  const name = request.name();
  const target = request.text();
  if (target === '') return ENOENT;
  if (target.length >= PATH_MAX) return ENAMETOOLONG;
  const directory = nodes.descriptorOf(parent);
  const { uid, gid } = ownerOfNew(share, parent, request, S_IFLNK);
  host.makeSymlink(target, directory, name);
  const stat = host.statAt(directory, name);
  if (stat === undefined) return ESTALE;
  metadata.set(stat, { uid, gid });
  share.writeNew(parent, name, stat);
  return 0;
};

const makeLink: Operation = (share, request) => {
  const { host, nodes } = share;
  const parent = nodes.directory(request.node);
  const node = nodes.get(request.u64());
  const name = request.name();
  if (node.isDirectory) return EOPNOTSUPP;
  const directory = nodes.descriptorOf(parent);
  const from = nodes.locate(node);
  const before = nodes.stat(node);
  host.makeLink(from.directory, from.name, directory, name);
  const stat = host.statAt(directory, name);
  if (stat === undefined) return ESTALE;
  if (identityOf(stat) !== identityOf(before)) {
    // The host has put another file under the old name meanwhile.
    host.unlink(directory, name);
    return ESTALE;
  }
  share.writeNew(parent, name, stat);
  return 0;
};

const readLink: Operation = ({ host, nodes, answer }, request) => {
  const node = nodes.get(request.node);
  if (node.type !== S_IFLNK) return EINVAL;
  const { directory, name } = nodes.locate(node);
  const target = host.readLink(directory, name);
  answer.bytes(target.subarray(0, Math.min(answer.room, PATH_MAX)));
  return 0;
};

/** The file that loses a name, when its records may have to go with it. */
function lastSight(
  { host, metadata }: Share,
  directory: number,
  name: string,
): HostStat | undefined {
  if (metadata.isEmpty) return undefined;
  const stat = host.statAt(directory, name);
  if (stat === undefined) return undefined;
  const isLast = stat.nlink <= 1n || (Number(stat.mode) & S_IFMT) === S_IFDIR;
  return isLast ? stat : undefined;
}

function remove(share: Share, request: Request, isDirectory: boolean): number {
  const { host, nodes, metadata } = share;
  const parent = nodes.directory(request.node);
  const name = request.name();
  const directory = nodes.descriptorOf(parent);
  const gone = lastSight(share, directory, name);
  const node = nodes.child(parent, name);
  if (isDirectory) host.removeDirectory(directory, name);
  else host.unlink(directory, name);
  // The records of a file that is still open are still wanted.
  if (gone !== undefined && !node?.files.size) metadata.forget(gone);
  nodes.unlink(parent, name);
  return 0;
}

function rename(share: Share, request: Request, hasFlags: boolean): number {
  const { host, nodes, metadata } = share;
  const parent = nodes.directory(request.node);
  const newParent = nodes.directory(request.u64());
  const flags = hasFlags ? request.u32() : 0;
  if (hasFlags) request.skip(4);
  const name = request.name();
  const newName = request.name();
  if (flags & ~RENAME_NOREPLACE) return EINVAL;
  const from = nodes.descriptorOf(parent);
  const to = nodes.descriptorOf(newParent);
  // Two steps, in between which the host might put something there.
  if (flags & RENAME_NOREPLACE && host.statAt(to, newName) !== undefined) return EEXIST;
  const gone = lastSight(share, to, newName);
  const replaced = nodes.child(newParent, newName);
  host.rename(from, name, to, newName);
  if (gone !== undefined && !replaced?.files.size && replaced !== nodes.child(parent, name)) {
    metadata.forget(gone);
  }
  nodes.move(parent, name, newParent, newName);
  return 0;
}

export const nameOperations: Readonly<Record<number, Operation>> = {
  [FUSE.LOOKUP]: lookUp,
  [FUSE.MKDIR]: makeDirectory,
  [FUSE.MKNOD]: makeNode,
  [FUSE.SYMLINK]: makeSymlink,
  [FUSE.LINK]: makeLink,
  [FUSE.READLINK]: readLink,
  [FUSE.UNLINK]: (share, request) => remove(share, request, false),
  [FUSE.RMDIR]: (share, request) => remove(share, request, true),
  [FUSE.RENAME]: (share, request) => rename(share, request, false),
  [FUSE.RENAME2]: (share, request) => rename(share, request, true),
};
