/**
 * The benchmark guest: one tree of files, kept as a directory, in which native runs happen, and as
 * an initial RAM disk for the machines. Built once for each state of its sources.
 */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { busyboxApplets, type TreeEntry, writeCpio } from '../../src/guest/mod.ts';
import { busybox } from '../../test/guests/images.ts';
import { hasPackageTools, resolvePackages, unpackPackages } from './debian.ts';
import { init } from './init.ts';
import { compilePrograms, describeCompiler, PROGRAM_DIRECTORY } from './programs.ts';
import { sampleText } from './text.ts';

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/vivarium/bench');
/** the directory of the cache that keeps Debian packages */
const PACKAGES = 'packages';
/** images that were made longer ago are removed when a new one is made; milliseconds */
const MAX_AGE = 24 * 3600 * 1000;
const TEXT_BYTES = 1_500_000;
const DIRECTORIES = 'bench/source dev proc root run sys tmp etc usr/bin usr/lib usr/lib64'.split(
  ' ',
);
const LINKS = [
  ['bin', 'usr/bin'],
  ['sbin', 'usr/bin'],
  ['usr/sbin', 'bin'],
  ['lib', 'usr/lib'],
  ['lib64', 'usr/lib64'],
] as const;

export interface BenchImage {
  readonly tree: string;
  readonly initrd: string;
  /** Debian packages within, with versions; empty without package tools */
  readonly packages: readonly string[];
  readonly compiler: string;
}

/** Builds the guest, or takes the one that was built before. `wanted` are Debian packages. */
export async function buildImage(wanted: readonly string[]): Promise<BenchImage> {
  const packages = wanted.length > 0 && hasPackageTools() ? resolvePackages(wanted) : [];
  const compiler = describeCompiler();
  const shell = await busybox();
  const directory = join(CACHE, fingerprint(packages, compiler, shell));
  const tree = join(directory, 'tree');
  const initrd = join(directory, 'initrd');
  const image = { tree, initrd, packages, compiler };
  if (existsSync(initrd)) return image;

  console.error(`Building the benchmark guest (${packages.length} Debian packages)`);
  rmSync(directory, { recursive: true, force: true });
  removeOldImages();
  for (const path of DIRECTORIES) mkdirSync(join(tree, path), { recursive: true });
  for (const [path, target] of LINKS) symlinkSync(target, join(tree, path));
  if (packages.length > 0) unpackPackages(packages, join(CACHE, PACKAGES), tree);
  installBusybox(tree, shell);
  installBenchmarks(tree);
  writeFileSync(initrd, packTree(tree));
  return image;
}

/** What older sources made is of no more use; what another run may be using stays. */
function removeOldImages(): void {
  for (const name of globSync('*', { cwd: CACHE })) {
    const path = join(CACHE, name);
    const age = Date.now() - lstatSync(path).mtimeMs;
    if (name !== PACKAGES && age > MAX_AGE) rmSync(path, { recursive: true, force: true });
  }
}

function fingerprint(packages: readonly string[], compiler: string, shell: Uint8Array): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([packages, compiler]))
    .update(shell);
  const sources = [PROGRAM_DIRECTORY, import.meta.dirname];
  for (const path of sources.flatMap((place) => globSync(join(place, '*')).sort())) {
    hash.update(path).update(readFileSync(path));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Busybox, and its commands under the names that no Debian package took. */
function installBusybox(tree: string, shell: Uint8Array): void {
  const place = join(tree, 'usr/bin');
  writeFileSync(join(place, 'busybox'), shell, { mode: 0o755 });
  for (const name of busyboxApplets(shell)) {
    if (!isThere(join(place, name))) symlinkSync('busybox', join(place, name));
  }
  writeFileSync(join(tree, 'init'), init, { mode: 0o755 });
}

function installBenchmarks(tree: string): void {
  const place = join(tree, 'bench');
  compilePrograms(place);
  cpSync(PROGRAM_DIRECTORY, join(place, 'source'), { recursive: true });
  for (const script of globSync('*.py', { cwd: PROGRAM_DIRECTORY })) {
    cpSync(join(PROGRAM_DIRECTORY, script), join(place, script));
  }
  const text = sampleText(TEXT_BYTES);
  writeFileSync(join(place, 'text'), text);
  writeFileSync(join(place, 'text.gz'), gzipSync(text, { level: 9 }));
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The tree as a RAM disk, with the two devices that process 1 needs before it mounts /dev. */
function packTree(tree: string): Uint8Array {
  const entries = entriesBelow(tree, '');
  entries.push({ kind: 'character-device', path: 'dev/console', major: 5, minor: 1 });
  entries.push({ kind: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 });
  return writeCpio(entries);
}

/** Everything below a directory, parents first. A link is an entry, whatever it leads to. */
function entriesBelow(tree: string, directory: string): TreeEntry[] {
  const names = readdirSync(join(tree, directory)).sort();
  return names.flatMap((name) => {
    const path = join(directory, name);
    const entry = entryOf(tree, path);
    return entry.kind === 'directory' ? [entry, ...entriesBelow(tree, path)] : [entry];
  });
}

function entryOf(tree: string, path: string): TreeEntry {
  const full = join(tree, path);
  const status = lstatSync(full);
  if (status.isSymbolicLink()) return { kind: 'symlink', path, target: readlinkSync(full) };
  if (status.isDirectory()) return { kind: 'directory', path };
  return { kind: 'file', path, mode: status.mode & 0o7777, data: readFileSync(full) };
}
