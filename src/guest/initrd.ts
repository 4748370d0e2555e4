/**
 * The initial RAM disk of the default guest: busybox, a link for each of its commands, the files
 * that start it, and the mount points. As in Debian, /sbin and /usr/bin lead to one directory.
 */
import { busyboxApplets } from './busybox.ts';
import { type TreeEntry, writeCpio } from './cpio.ts';
import { initFiles } from './init-files.ts';

/** A file to add to the RAM disk. */
export interface ExtraFile {
  /** without a leading slash */
  readonly path: string;
  readonly mode?: number;
  readonly data: Uint8Array | string;
}

export interface InitrdOptions {
  /** a statically linked busybox executable */
  readonly busybox: Uint8Array;
  /** kernel modules, loaded at boot in this order; see `orderModules` */
  readonly modules?: readonly ExtraFile[];
  /** further files; one with the path of a default file takes its place */
  readonly files?: readonly ExtraFile[];
}

/** Directories in which nothing else puts a file. */
const emptyDirectories = ['dev', 'mnt', 'proc', 'root', 'run', 'sys', 'tmp', 'var', 'usr'];

const links: readonly [path: string, target: string][] = [
  ['init', 'bin/busybox'],
  ['sbin', 'bin'],
  ['usr/bin', '../bin'],
  ['usr/sbin', '../bin'],
  ['var/run', '../run'],
];

/** Builds the archive. Equal input gives equal bytes. */
export function buildInitrd(options: InitrdOptions): Uint8Array<ArrayBuffer> {
  const entries = new Map<string, TreeEntry>();
  const add = (entry: TreeEntry) => entries.set(entry.path, entry);

  for (const path of emptyDirectories) add({ kind: 'directory', path });
  for (const name of busyboxApplets(options.busybox)) {
    add({ kind: 'symlink', path: `bin/${name}`, target: 'busybox' });
  }
  add({ kind: 'file', path: 'bin/busybox', mode: 0o755, data: options.busybox });
  for (const [path, target] of links) add({ kind: 'symlink', path, target });
  // The kernel opens the console for process 1 before anything is mounted.
  add({ kind: 'character-device', path: 'dev/console', major: 5, minor: 1 });
  add({ kind: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 });
  for (const { path, mode, text } of initFiles) add({ kind: 'file', path, mode, data: text });
  const modules = options.modules ?? [];
  const loadOrder = modules.map((each) => `/${each.path}\n`).join('');
  if (modules.length > 0) add({ kind: 'file', path: 'etc/modules', data: loadOrder });
  for (const file of [...modules, ...(options.files ?? [])]) add({ kind: 'file', ...file });

  return writeCpio(withParents(entries));
}

/** Sorts by path, which puts parents first, and adds the directories that nothing named. */
function withParents(entries: Map<string, TreeEntry>): TreeEntry[] {
  for (const path of [...entries.keys()]) {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const parent = path.slice(0, at);
      if (!entries.has(parent)) entries.set(parent, { kind: 'directory', path: parent });
    }
  }
  return [...entries.values()].sort((left, right) => (left.path < right.path ? -1 : 1));
}
