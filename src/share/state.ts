/** What of a shared folder goes into a snapshot: what the guest knows and has open. The files are the host's. */
import {
  boolean,
  type Checked,
  type Checker,
  integer,
  invalidState,
  list,
  oneOf,
  record,
  refine,
} from '../state/mod.ts';
import type { Share } from './context.ts';
import { isPlainName } from './fuse/request.ts';
import { FUSE_ROOT_ID, O_TRUNC, S_IFDIR, S_IFREG } from './fuse/spec.ts';
import { Node, type NodeTable } from './nodes.ts';
import { OpenDirectory } from './open-files.ts';

const MAX_ITEMS = 2 ** 24;
const id = integer(1, Number.MAX_SAFE_INTEGER);
const count = integer(0, Number.MAX_SAFE_INTEGER);

const name: Checker<string> = (value, path) =>
  typeof value === 'string' && isPlainName(value) && /^[\0-\xff]*$/.test(value)
    ? value
    : invalidState(path, 'the name of a file');

const checkParts = record({
  isInitialized: boolean,
  nextNode: id,
  nextFile: id,
  nodes: list(
    record({
      id: integer(FUSE_ROOT_ID + 1, Number.MAX_SAFE_INTEGER),
      type: oneOf(0o010000, 0o020000, 0o040000, 0o060000, 0o100000, 0o120000, 0o140000),
      lookups: count,
      links: list(record({ parent: id, name }), 0, MAX_ITEMS),
    }),
    0,
    MAX_ITEMS,
  ),
  files: list(
    record({ id, node: id, flags: integer(0, 2 ** 31 - 1), isDirectory: boolean }),
    0,
    MAX_ITEMS,
  ),
});
export type ShareState = Checked<typeof checkParts>;

export const checkShare = refine(checkParts, isWhole, 'the state of a shared folder');

/** Everything that is named exists, once, and is of the kind that it must be. */
function isWhole({ nodes, files, nextNode, nextFile }: ShareState): boolean {
  const types = new Map<number, number>([[FUSE_ROOT_ID, S_IFDIR]]);
  const names = new Set<string>();
  for (const node of nodes) {
    if (types.has(node.id) || node.id >= nextNode) return false;
    types.set(node.id, node.type);
  }
  for (const { links } of nodes) {
    for (const link of links) {
      const key = `${link.parent}/${link.name}`;
      if (types.get(link.parent) !== S_IFDIR || names.has(key)) return false;
      names.add(key);
    }
  }
  const open = new Set<number>();
  return files.every((file) => {
    const isNew = !open.has(file.id) && file.id < nextFile;
    open.add(file.id);
    return isNew && types.get(file.node) === (file.isDirectory ? S_IFDIR : S_IFREG);
  });
}

export function saveShare({ nodes, files }: Share, isInitialized: boolean): ShareState {
  return {
    isInitialized,
    nextNode: nodes.nextId,
    nextFile: files.nextId,
    nodes: [...nodes.all()]
      .filter((node) => node !== nodes.root)
      .map(({ id, type, lookups, links }) => ({
        id,
        type: type as ShareState['nodes'][number]['type'],
        lookups,
        links: links.map((link) => ({ parent: link.parent.id, name: link.name })),
      })),
    files: [...files.all()].map((file) => ({
      id: file.id,
      node: file.node.id,
      flags: file instanceof OpenDirectory ? 0 : file.flags,
      isDirectory: file instanceof OpenDirectory,
    })),
  };
}

/** Takes over checked state. Files are looked for when they are used. */
export function loadShare({ nodes, files }: Share, state: ShareState): void {
  files.clear();
  nodes.clear();
  for (const { id, type, lookups } of state.nodes) {
    const node = new Node(id, type, undefined);
    node.lookups = lookups;
    nodes.insert(node);
  }
  for (const { id, links } of state.nodes) {
    for (const link of links) nodes.link(nodes.get(id), nodes.get(link.parent), link.name);
  }
  for (const { id, node: nodeId, flags, isDirectory } of state.files) {
    const node = nodes.get(nodeId);
    if (isDirectory) files.addDirectory(id, node);
    else files.add(node, flags, () => openUnopened(nodes, files, node, flags), id);
  }
  nodes.nextId = state.nextNode;
  files.nextId = state.nextFile;
}

function openUnopened(nodes: NodeTable, files: Share['files'], node: Node, flags: number): number {
  // The node's own files cannot lead to it: none of them may be open yet.
  return nodes.withNamed(node, (inode) => files.reopen(inode, node, flags & ~O_TRUNC));
}
