/**
 * Builds the disk image of a Debian system. As root or as any user: mmdebstrap(1) makes the system,
 * in a user name space where it has to, and hands it over as an archive; mke2fs(8) makes a file system
 * of it without mounting anything, under fakeroot(1) where files would lose their owners.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { packTar } from 'modern-tar';
import { convertImage, type ImageFormat, openImage } from '../../../block/mod.ts';
import {
  DEBIAN_IMAGE_PACKAGES,
  DEBIAN_IMAGE_SCRIPT,
  type DebianImageOptions,
  debianImageFiles,
  sourcesOfRelease,
} from '../../../guest/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { NodeFiles, nodeCodecs, reasonOf } from '../disk/mod.ts';
import { readHostSources } from './host-sources.ts';
import { requirePrograms, runTool } from './tools.ts';

export interface DebianBuild extends DebianImageOptions {
  /** where the image goes; a file that is there is replaced when the new one is whole */
  readonly output: string;
  readonly format: ImageFormat;
  /** capacity of the disk */
  readonly bytes: number;
  /** where packages come from instead of from this host's sources */
  readonly mirror?: string | undefined;
  /** told what is done, and how much of all is done, from 0 to 1 */
  readonly progress: (what: string, done: number) => void;
  /** gives the work up; nothing stays behind */
  readonly signal?: AbortSignal | undefined;
}

/** What mmdebstrap says, and how much of the whole is done then, by how long things usually take. */
const STAGES: readonly (readonly [says: RegExp, what: string, done: number])[] = [
  [/running apt-get update/, 'reading the package lists', 0.02],
  [/downloading packages/, 'fetching packages', 0.06],
  [/extracting archives/, 'unpacking the base system', 0.15],
  [/installing essential packages/, 'installing the base system', 0.2],
  [/installing remaining packages/, 'installing packages', 0.35],
  [/running --customize-hook|running special hook/, 'setting up the system', 0.75],
  [/creating tarball/, 'packing the system', 0.8],
];

export async function buildDebianImage(build: DebianBuild): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  requirePrograms(
    {
      mmdebstrap: 'mmdebstrap',
      mke2fs: 'e2fsprogs',
      tar: 'tar',
      ...(isRoot ? {} : { fakeroot: 'fakeroot', newuidmap: 'uidmap' }),
    },
    'building an image',
  );
  if (!isRoot) await requireUserNamespaces();
  const output = resolve(build.output);
  const work = makeWorkDirectory(output);
  const remove = () => rmSync(work, { recursive: true, force: true });
  process.on('exit', remove);
  try {
    const archive = join(work, 'system.tar');
    await bootstrap(build, work, archive);
    build.progress('making the file system', 0.84);
    const disk = join(work, 'disk.raw');
    await makeFilesystem(build, work, archive, disk);
    rmSync(archive);
    build.signal?.throwIfAborted();
    const finished = build.format === 'raw' ? disk : toQcow2(disk, join(work, 'disk'), build);
    build.signal?.throwIfAborted();
    await rename(finished, output);
    build.progress('done', 1);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

/** Without privileges mmdebstrap is root in a name space of its own, if this host allows that. */
async function requireUserNamespaces(): Promise<void> {
  try {
    await runTool(['unshare', '--user', '--map-root-user', 'true'], 'user name spaces');
  } catch (error) {
    throw new VivariumError(
      'tool-missing',
      'this host gives ordinary users no user name spaces, which building an image needs: ' +
        'run the command as root, or see sysctl user.max_user_namespaces',
      { cause: error },
    );
  }
}

/** A directory beside the output, so that the image need not be copied to its place. */
function makeWorkDirectory(output: string): string {
  try {
    return mkdtempSync(join(dirname(output), `.${basename(output)}.build-`));
  } catch (error) {
    const message = `cannot write to ${dirname(output)}: ${reasonOf(error)}`;
    throw new VivariumError('image-unwritable', message, { cause: error });
  }
}

async function bootstrap(build: DebianBuild, work: string, archive: string): Promise<void> {
  const { release, packages, mirror } = build;
  const overlay = join(work, 'overlay.tar');
  const files = debianImageFiles(build).map(({ path, mode, text }) => ({
    header: {
      name: path,
      size: Buffer.byteLength(text),
      mode,
      uid: 0,
      gid: 0,
      type: 'file' as const,
    },
    body: text,
  }));
  writeFileSync(overlay, await packTar(files));
  const sources = mirror === undefined ? sourcesOfRelease(readHostSources(), release) : [mirror];
  const mirrors = mirror === undefined ? writeSources(work, sources) : sources;
  await runTool(
    [
      'mmdebstrap',
      process.getuid?.() === 0 ? '--mode=root' : '--mode=unshare',
      '--variant=minbase',
      '--architectures=amd64',
      `--include=${[...DEBIAN_IMAGE_PACKAGES, ...packages].join(',')}`,
      '--skip=cleanup/reproducible',
      '--format=tar',
      `--customize-hook=tar-in ${quote(overlay)} /`,
      `--customize-hook=${DEBIAN_IMAGE_SCRIPT}`,
      release,
      archive,
      ...mirrors,
    ],
    'cannot build the system',
    {
      signal: build.signal,
      onLine: (line) => {
        const stage = STAGES.find(([says]) => says.test(line));
        if (stage !== undefined) build.progress(stage[1], stage[2]);
      },
    },
  );
}

/** Each source in a file of its own: the two formats of sources cannot share one. */
function writeSources(work: string, sources: readonly string[]): string[] {
  return sources.map((text, index) => {
    const isLine = text.startsWith('deb ');
    const path = join(work, `source-${index}.${isLine ? 'list' : 'sources'}`);
    writeFileSync(path, text);
    return path;
  });
}

async function makeFilesystem(
  { bytes, signal }: DebianBuild,
  work: string,
  archive: string,
  disk: string,
): Promise<void> {
  const root = join(work, 'root');
  mkdirSync(root);
  const file = await open(disk, 'w');
  await file.truncate(bytes);
  await file.close();
  const isRoot = process.getuid?.() === 0;
  // Only root can give programs capabilities; Debian's do without them, as ping does.
  const capabilities = isRoot ? '--xattrs --xattrs-include=security.capability' : '';
  // Devices are made by the kernel at boot; here they may need privileges.
  const script = [
    'set -e',
    `tar -C ${quote(root)} --numeric-owner ${capabilities} --exclude=./dev/* -xpf ${quote(archive)}`,
    `mke2fs -q -F -t ext4 -L root -m 1 -d ${quote(root)} ${quote(disk)}`,
    // Process 1 expects a console before it has mounted /dev.
    // debugfs takes a path for a name: the directory must be its own.
    `printf 'cd /dev\\nmknod console c 5 1\\n' | debugfs -w -f - ${quote(disk)}`,
  ].join('\n');
  const shell = ['sh', '-c', script] as const;
  const command = isRoot ? shell : (['fakeroot', '--', ...shell] as const);
  try {
    await runTool(command, 'cannot make the file system', { signal });
  } catch (error) {
    const said = String((error as Error).cause ?? '');
    if (!/No space left|Could not allocate/i.test(said)) throw error;
    throw new VivariumError(
      'image-too-small',
      'the system does not fit into an image of that size, or the host has no room for it: ' +
        'choose a larger --size, or an --output where there is room',
      { cause: error },
    );
  }
}

function toQcow2(disk: string, target: string, build: DebianBuild): string {
  const files = new NodeFiles();
  const source = openImage({ files, codecs: nodeCodecs }, disk, { readOnly: true, format: 'raw' });
  try {
    convertImage(source, files.create(target), {
      format: 'qcow2',
      codecs: nodeCodecs,
      clusterBits: undefined,
      compress: false,
      progress: (done) => build.progress('writing the image', 0.92 + 0.08 * (done / source.bytes)),
    });
  } finally {
    source.close();
  }
  return target;
}

/** For a shell, and for what mmdebstrap splits as one. */
function quote(path: string): string {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
