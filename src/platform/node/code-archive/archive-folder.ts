/**
 * Where compiled regions and handlers are kept between runs: a folder for each combination of translator, V8 and virtual
 * processor, with a file for each batch of regions, and one for the handlers. Whoever uses it finds a whole file or none;
 * files that nobody used for long go first when all together become too large. All of it is a cache: where it fails, a
 * machine is slower, nothing else.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import type { KeptBatch, KeptHandlers } from '../../../engine/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { type ArchiveFile, archiveFile, readArchiveFile } from './archive-file.ts';
import { machineCodeOf } from './compiled-module.ts';
import type { Description } from './description.ts';

/** What all folders hold at most; bytes. */
const MOST_BYTES = 256 * 2 ** 20;
const SUFFIX = '.code';
/** Of files that are being written; one that is older was left by a process that ended meanwhile. */
const UNFINISHED = '.tmp';
const UNFINISHED_MILLISECONDS = 3_600_000;
/** Names of our folders. */
const FOLDER = /^[0-9a-f]{32}$/;
/** The layers that decide what a translation is. */
const TRANSLATOR = ['engine', 'ir', 'wasm', 'x86'] as const;

/** Where code of earlier runs is. */
export interface CodeArchivePlace {
  readonly directory: string;
  /** it is used, and stays as it is */
  readonly isReadOnly: boolean;
}

const READ_ONLY = ',readonly';

/**
 * Where code is kept: `DIR[,readonly]` as it was named, or as the environment names it. Undefined: nowhere, as by default
 * and for `none`. Throws a `VivariumError` where that cannot be.
 */
export function codeArchivePlace(
  named: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): CodeArchivePlace | undefined {
  const place = named ?? (environment['VIVARIUM_CODE_ARCHIVE'] || undefined);
  if (place === undefined || place === 'none') return undefined;
  const isReadOnly = place.endsWith(READ_ONLY);
  const directory = resolve(isReadOnly ? place.slice(0, -READ_ONLY.length) : place);
  try {
    if (!isReadOnly) makePrivateDirectory(directory);
    accessSync(`${directory}/.`, isReadOnly ? constants.R_OK : constants.R_OK | constants.W_OK);
  } catch (error) {
    throw unusable(directory, isReadOnly, (error as NodeJS.ErrnoException).code, error);
  }
  return { directory, isReadOnly };
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'it, or a part of its path, is not a directory',
  ENOENT: 'there is no such directory',
};

function unusable(
  directory: string,
  isReadOnly: boolean,
  code: string | undefined,
  cause: unknown,
): VivariumError {
  const reason = REASONS[code ?? ''] ?? String(cause);
  const use = isReadOnly ? 'find translated code in' : 'keep translated code in';
  return new VivariumError(
    'code-archive-unusable',
    `cannot ${use} ${directory}: ${reason}; name another directory, or none`,
    { cause },
  );
}

/** The folder below `root` for the machine code that this process makes for a virtual processor with these features. */
export function archiveFolder(root: string, features: string): string {
  const sum = createHash('sha256');
  sum.update(`${cachedDataVersionTag()} ${process.arch} ${features}`);
  const source = join(import.meta.dirname, '../../..');
  for (const layer of TRANSLATOR) {
    const files = readdirSync(join(source, layer), { recursive: true, encoding: 'utf8' });
    for (const file of files.sort()) {
      if (!/(?<!\.test|\.d)\.[jt]s$/.test(file)) continue;
      sum.update(file);
      sum.update(readFileSync(join(source, layer, file)));
    }
  }
  return join(root, sum.digest('hex').slice(0, 32));
}

/** What `folder` holds: batches of regions, and handlers if there are any. Notes what is used, unless it is to stay as it is. */
export function readArchive(
  folder: string,
  isReadOnly = false,
): { batches: KeptBatch[]; handlers?: KeptHandlers } {
  const batches: KeptBatch[] = [];
  let handlers: KeptHandlers | undefined;
  for (const { path } of filesIn(folder).sort((left, right) => left.used - right.used)) {
    const file = readArchiveFile(path);
    if (file === undefined) {
      if (!isReadOnly) attempt(() => rmSync(path, { force: true }));
      continue;
    }
    const { description, bytes } = file;
    const load = () => (isReadOnly ? file.load() : loadUsed(path, file));
    if (description.kind === 'regions') batches.push({ regions: description.regions, bytes, load });
    else handlers = { ...description, bytes, load };
  }
  return handlers === undefined ? { batches } : { batches, handlers };
}

function loadUsed(path: string, file: ArchiveFile): WebAssembly.Module | undefined {
  const module = file.load();
  attempt(() => {
    const now = new Date();
    if (module === undefined) rmSync(path, { force: true });
    else utimesSync(path, now, now);
  });
  return module;
}

/** Keeps a compiled module in `folder`, if that can be done. Of handlers only the last are kept. */
export function keepModule(
  folder: string,
  description: Description,
  bytes: Uint8Array<ArrayBuffer>,
  module: WebAssembly.Module,
): void {
  attempt(() => {
    makePrivateDirectory(folder);
    const name = description.kind === 'handlers' ? 'handlers' : randomUUID();
    const path = join(folder, `${name}${SUFFIX}`);
    const temporary = join(folder, `${randomUUID()}${UNFINISHED}`);
    try {
      const contents = archiveFile(description, bytes, machineCodeOf(module));
      writeFileSync(temporary, contents, { mode: 0o600 });
      renameSync(temporary, path);
    } finally {
      rmSync(temporary, { force: true });
    }
    prune(dirname(folder));
  });
}

/** As `makeDirectory` of guest-cache.ts, for its reason, at once. */
function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || existsSync(parent)) throw error;
    makePrivateDirectory(parent);
    makePrivateDirectory(path);
  }
}

/**
 * Removes what was not used for the longest time, while all is too large, and folders that are empty. What is not ours
 * stays: the user may have named any directory.
 */
function prune(root: string): void {
  const folders = readdirSync(root)
    .filter((name) => FOLDER.test(name))
    .map((name) => join(root, name));
  const files = folders
    .flatMap((folder) => filesIn(folder))
    .sort((left, right) => right.used - left.used);
  for (const { path, used } of folders.flatMap((folder) => filesIn(folder, UNFINISHED)))
    if (used < Date.now() - UNFINISHED_MILLISECONDS) rmSync(path, { force: true });
  const inUse = new Set<string>();
  let bytes = 0;
  for (const { path, size } of files) {
    bytes += size;
    if (bytes > MOST_BYTES) rmSync(path, { force: true });
    else inUse.add(dirname(path));
  }
  for (const folder of folders) {
    if (!inUse.has(folder)) attempt(() => rmdirSync(folder));
  }
}

function filesIn(folder: string, suffix = SUFFIX): { path: string; size: number; used: number }[] {
  let names: string[] = [];
  attempt(() => {
    names = readdirSync(folder).filter((name) => name.endsWith(suffix));
  });
  const files: { path: string; size: number; used: number }[] = [];
  for (const name of names) {
    attempt(() => {
      const path = join(folder, name);
      const { size, mtimeMs } = statSync(path);
      files.push({ path, size, used: mtimeMs });
    });
  }
  return files;
}

/** Another process may have been faster, or the disk be full. */
function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
