/** The guest of `viv run` without arguments: Debian's cloud kernel and a RAM disk of busybox. */
import { createHash } from 'node:crypto';
import {
  buildInitrd,
  buildModuleTree,
  DEFAULT_BUSYBOX_PACKAGE,
  DEFAULT_CMDLINE,
  DEFAULT_KERNEL_PACKAGE,
  DEVICE_MODULES,
  type ExtraFile,
  extractDeb,
  isBusyboxPath,
  isModulePath,
  kernelVersionOf,
} from '../../guest/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import type { GuestCache } from './guest-cache.ts';
import { GuestPackages, type GuestSourceOptions } from './guest-packages.ts';

/** Everything that a machine needs to boot the default guest. */
export interface DefaultGuest {
  /** unpacked: an ELF file with a PVH entry */
  readonly kernel: Uint8Array<ArrayBuffer>;
  readonly initrd: Uint8Array<ArrayBuffer>;
  readonly cmdline: string;
  /** for example `6.1.0-44-cloud-amd64` */
  readonly kernelVersion: string;
}

/** Another number for another choice of modules: what an older version has prepared lacks them. */
const CONTENTS = 2;

/** What `guest/default.N.json` says; the files named lie beside it. */
interface Manifest {
  readonly kernelVersion: string;
  readonly kernel: CachedFile;
  readonly busybox: CachedFile;
  /** the files of the module tree, one after the other */
  readonly modules: CachedFile;
  readonly moduleFiles: readonly ModuleFile[];
}
interface ModuleFile {
  readonly path: string;
  readonly bytes: number;
}
interface CachedFile {
  readonly name: string;
  readonly bytes: number;
}

/**
 * Obtains the default guest: at once if it is in the cache, else from Debian packages.
 * Throws a `VivariumError` that names what is missing and what to do about it.
 */
export async function defaultGuest(options: GuestSourceOptions = {}): Promise<DefaultGuest> {
  const packages = new GuestPackages(options);
  const { cache } = packages;
  const manifestPath = cache.path('guest', manifestName(options.mirror));
  const ready = await load(cache, manifestPath);
  if (ready) return ready;
  return await packages.exclusively(async () => {
    // Another run may have done it while this one waited for the lock.
    const arrived = await load(cache, manifestPath);
    if (arrived) return arrived;
    await prepare(packages, manifestPath);
    const prepared = await load(cache, manifestPath);
    if (prepared) return prepared;
    throw new VivariumError(
      'cache-unusable',
      `the default guest vanished from the cache directory ${cache.directory}; try again`,
    );
  });
}

/** Guests from different archives are different guests. */
function manifestName(mirror = process.env['VIVARIUM_MIRROR'] ?? ''): string {
  if (mirror === '') return `default.${CONTENTS}.json`;
  return `default.${CONTENTS}-${createHash('sha256').update(mirror).digest('hex').slice(0, 12)}.json`;
}

async function load(cache: GuestCache, path: string): Promise<DefaultGuest | undefined> {
  const manifest = (await cache.readJson(path)) as Partial<Manifest> | undefined;
  if (!manifest?.kernel || !manifest.busybox || !manifest.kernelVersion) return undefined;
  if (!manifest.modules || !Array.isArray(manifest.moduleFiles)) return undefined;
  const [kernel, busybox, modules] = await Promise.all([
    readPart(cache, manifest.kernel),
    readPart(cache, manifest.busybox),
    readPart(cache, manifest.modules),
  ]);
  if (!kernel || !busybox || !modules) return undefined;
  return {
    kernel,
    initrd: buildInitrd({ busybox, files: splitFiles(modules, manifest.moduleFiles) }),
    cmdline: DEFAULT_CMDLINE,
    kernelVersion: manifest.kernelVersion,
  };
}

function splitFiles(joined: Uint8Array, files: readonly ModuleFile[]): ExtraFile[] {
  let at = 0;
  return files.map(({ path, bytes }) => {
    at += bytes;
    return { path, data: joined.subarray(at - bytes, at) };
  });
}

async function readPart(
  cache: GuestCache,
  part: CachedFile,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!/^[\w.+~%-]+$/.test(part.name)) return undefined;
  return await cache.read(cache.path('guest', part.name), part.bytes);
}

async function prepare(packages: GuestPackages, manifestPath: string): Promise<void> {
  const { cache } = packages;
  const busyboxPackage = await packages.obtain(DEFAULT_BUSYBOX_PACKAGE);
  const kernelPackage = await packages.kernel(DEFAULT_KERNEL_PACKAGE);
  packages.report('unpacking the guest');

  const [busybox] = (await extractDeb(busyboxPackage.deb, isBusyboxPath)).values();
  const found = await extractDeb(
    kernelPackage.deb,
    (path) => kernelVersionOf(path) !== undefined || isModulePath(path),
  );
  const image = [...found].find(([path]) => kernelVersionOf(path) !== undefined);
  if (!busybox || !image) {
    const { name } = busybox ? kernelPackage : busyboxPackage;
    throw new VivariumError('package-file-missing', `the package ${name} lacks what a guest needs`);
  }
  const [path, compressed] = image;
  // The machine's code is large; a run that finds the guest in the cache does not need it here.
  const { unpackKernel } = await import('../../machine/mod.ts');
  const kernel = await unpackKernel(compressed);
  const version = kernelVersionOf(path)!;
  found.delete(path);
  const modules = (await buildModuleTree(version, found, DEVICE_MODULES)).map((file) => ({
    path: file.path,
    data: typeof file.data === 'string' ? new TextEncoder().encode(file.data) : file.data,
  }));

  const store = async (name: string, contents: Uint8Array): Promise<CachedFile> => {
    await cache.write(cache.path('guest', name), contents);
    return { name, bytes: contents.length };
  };
  const plain = (version: string) => version.replaceAll(':', '%3a');
  const manifest: Manifest = {
    kernelVersion: version,
    kernel: await store(`vmlinux-${version}_${plain(kernelPackage.version)}`, kernel),
    modules: await store(
      `modules-${version}_${plain(kernelPackage.version)}`,
      Buffer.concat(modules.map(({ data }) => data)),
    ),
    moduleFiles: modules.map(({ path, data }) => ({ path, bytes: data.length })),
    busybox: await store(`busybox_${plain(busyboxPackage.version)}`, busybox),
  };
  await cache.write(manifestPath, JSON.stringify(manifest));
}
