/** Debian packages for guests: fetched once, verified, kept in the cache. */
import { extractDeb, isSafePath, kernelPackageName, type PackageRecord } from '../../guest/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import {
  type Architecture,
  openPackageSource,
  type PackageSource,
  type ReportProgress,
} from './apt/package-source.ts';
import { GuestCache } from './guest-cache.ts';
import { withCacheLock } from './guest-lock.ts';

export interface GuestSourceOptions {
  /** instead of `$XDG_CACHE_HOME/vivarium` */
  readonly cacheDir?: string | undefined;
  /** a Debian archive, `URL [SUITE]`; the environment variable VIVARIUM_MIRROR if not given */
  readonly mirror?: string | undefined;
  /** whose packages: `amd64` if not given */
  readonly architecture?: Architecture | undefined;
  /** told in a few words what is being done */
  readonly progress?: ReportProgress | undefined;
}

/** A package at hand. */
export interface GuestPackage {
  readonly name: string;
  readonly version: string;
  readonly deb: Uint8Array;
}

/** Packages of one cache from one source. The source is opened only if something is missing. */
export class GuestPackages {
  readonly cache: GuestCache;
  readonly #mirror: string | undefined;
  readonly #report: ReportProgress;
  readonly architecture: Architecture;
  #source: Promise<PackageSource> | undefined;

  constructor(options: GuestSourceOptions = {}) {
    this.cache = new GuestCache(options.cacheDir);
    this.#mirror = options.mirror ?? process.env['VIVARIUM_MIRROR'];
    this.architecture = options.architecture ?? 'amd64';
    let last = '';
    this.#report = (message) => {
      if (message !== last) options.progress?.(message);
      last = message;
    };
  }

  /** Runs `work` as the only one that changes the cache. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return withCacheLock(this.cache, work, () =>
      this.#report('waiting for another run that fetches guest software'),
    );
  }

  /** Tells what is being done. */
  report(message: string): void {
    this.#report(message);
  }

  /** The package that holds the kernel which a meta package stands for. */
  async kernel(metaPackage: string): Promise<GuestPackage> {
    const source = await this.#open();
    return await this.#obtain(kernelPackageName(await source.describe(metaPackage)));
  }

  /** A package by its name; a cached one of any version is good. Within `exclusively`. */
  async obtain(name: string): Promise<GuestPackage> {
    return (await this.cached(name)) ?? (await this.#obtain(name));
  }

  /** A package that is in the cache already. */
  async cached(name: string): Promise<GuestPackage | undefined> {
    const record = (await this.cache.readJson(this.#recordPath(name))) as StoredRecord | undefined;
    if (typeof record?.version !== 'string' || typeof record.bytes !== 'number') return undefined;
    const deb = await this.cache.read(this.#debPath(name, record.version), record.bytes);
    return deb && { name, version: record.version, deb };
  }

  async #obtain(name: string): Promise<GuestPackage> {
    await this.cache.requireSpace();
    const source = await this.#open();
    const record: PackageRecord = await source.describe(name);
    const { version } = record;
    const path = this.#debPath(name, version);
    const kept = await this.cache.read(path, record.bytes);
    if (kept) return { name, version, deb: kept };
    const deb = await source.download(record);
    await this.cache.write(path, deb);
    const stored: StoredRecord = { version, bytes: deb.length, sha256: record.sha256 };
    await this.cache.write(this.#recordPath(name), JSON.stringify(stored));
    return { name, version, deb };
  }

  /** Tells the names of files for another architecture from those for the usual one. */
  get suffix(): string {
    return this.architecture === 'amd64' ? '' : `_${this.architecture}`;
  }

  #open(): Promise<PackageSource> {
    this.#source ??= openPackageSource(this.cache, this.#mirror, this.#report, this.architecture);
    return this.#source;
  }

  #recordPath(name: string): string {
    return this.cache.path('packages', `${name}${this.suffix}.json`);
  }

  #debPath(name: string, version: string): string {
    return this.cache.path(
      'packages',
      `${name}_${version.replaceAll(':', '%3a')}_${this.architecture}.deb`,
    );
  }
}

/** What `packages/NAME.json` holds. */
interface StoredRecord {
  readonly version: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * One file out of a Debian package, fetched at first use: `fetchGuestPackage('seabios',
 * 'usr/share/seabios/bios-256k.bin')`. Throws `package-file-missing` if the package has no such
 * file; links are not followed.
 */
export async function fetchGuestPackage(
  name: string,
  file: string,
  options: GuestSourceOptions = {},
): Promise<Uint8Array> {
  if (!isSafePath(name) || name.includes('/') || !isSafePath(file)) {
    throw new VivariumError('package-unknown', `"${file}" of "${name}" is no file of a package`);
  }
  const packages = new GuestPackages(options);
  const path = packages.cache.path('files', `${name}${packages.suffix}`, file);
  const kept = await packages.cache.read(path);
  if (kept) return kept;
  return await packages.exclusively(async () => {
    const { deb } = await packages.obtain(name);
    const contents = (await extractDeb(deb, (each) => each === file)).get(file);
    if (!contents) {
      throw new VivariumError('package-file-missing', `the package ${name} has no file ${file}`);
    }
    await packages.cache.write(path, contents);
    return contents;
  });
}
