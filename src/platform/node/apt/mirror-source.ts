/**
 * Packages from a Debian archive that the user names, without apt: `URL [SUITE]`, as in
 * sources.list(5), where URL is http, https or file. The chain is the archive's own: a signed
 * InRelease file lists the checksums of the package index, which lists those of the packages.
 * The signature is checked with gpgv where the host has it and Debian's keys; without them the
 * connection has to be trustworthy: https, or a file. Left out: source packages, InRelease in parts.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { newestRecord, type PackageRecord, releaseSums, stanzasOf } from '../../../guest/mod.ts';
import { CompressionError, decompress, VivariumError } from '../../../util/mod.ts';
import type { Architecture, PackageSource, ReportProgress } from './package-source.ts';
import { verifyRelease } from './release-signature.ts';

const DEFAULT_SUITE = 'bookworm';
const INDEXES = ['Packages.xz', 'Packages.gz'] as const;
const MAX_BYTES = 2 ** 30;

export class MirrorSource implements PackageSource {
  readonly #url: string;
  readonly #suite: string;
  readonly #report: ReportProgress;
  readonly #architecture: Architecture;
  #packages: Promise<string> | undefined;

  constructor(mirror: string, report: ReportProgress, architecture: Architecture = 'amd64') {
    const [url = '', suite = DEFAULT_SUITE, ...rest] = mirror.trim().split(/\s+/);
    if (!/^(https?|file):\/\/\S+$/.test(url) || !/^[\w./-]+$/.test(suite) || rest.length > 0) {
      throw new VivariumError(
        'mirror-invalid',
        `"${mirror}" does not name a Debian mirror; it should be like https://HOST/debian, ` +
          'with the name of the release after a space if it is not bookworm',
      );
    }
    this.#url = url.replace(/\/+$/, '');
    this.#suite = suite;
    this.#report = report;
    this.#architecture = architecture;
  }

  async describe(name: string): Promise<PackageRecord> {
    this.#packages ??= this.#readIndex();
    const record = newestRecord(stanzasOf(await this.#packages, name), name);
    if (record) return record;
    throw new VivariumError(
      'package-unknown',
      `the mirror ${this.#url} has no package ${name} for ${this.#architecture} in ${this.#suite}`,
    );
  }

  async download(record: PackageRecord): Promise<Uint8Array> {
    const what = `fetching ${record.name} (${Math.ceil(record.bytes / 1e6)} MB)`;
    this.#report(what);
    return await this.#get(record.filename, record, what);
  }

  async #readIndex(): Promise<string> {
    this.#report('reading the package lists');
    const inRelease = await this.#get(`dists/${this.#suite}/InRelease`);
    const release = await verifyRelease(inRelease, this.#url);
    const sums = releaseSums(release);
    for (const name of INDEXES) {
      const index = `main/binary-${this.#architecture}/${name}`;
      const sum = sums.get(index);
      if (!sum) continue;
      const packed = await this.#get(`dists/${this.#suite}/${index}`, sum);
      try {
        return new TextDecoder().decode(await decompress(packed, { limit: MAX_BYTES }));
      } catch (error) {
        if (error instanceof CompressionError) throw this.#damaged(index, error);
        throw error;
      }
    }
    throw new VivariumError(
      'package-unknown',
      `the mirror ${this.#url} has no list of packages for ${this.#architecture} in ${this.#suite}`,
    );
  }

  /** Reads a file of the archive and, where given, checks size and sum. */
  async #get(
    path: string,
    expected?: { bytes: number; sha256: string },
    what?: string,
  ): Promise<Uint8Array> {
    const limit = expected?.bytes ?? 16 * 2 ** 20;
    const contents = await this.#read(`${this.#url}/${path}`, limit, (bytes) => {
      const tenths = expected ? Math.floor((bytes / expected.bytes) * 10) : 0;
      if (what !== undefined && tenths > 0) this.#report(`${what}: ${tenths * 10}%`);
    });
    if (!expected) return contents;
    const sum = createHash('sha256').update(contents).digest('hex');
    if (contents.length !== expected.bytes || sum !== expected.sha256) throw this.#damaged(path);
    return contents;
  }

  async #read(
    url: string,
    limit: number,
    onProgress: (bytes: number) => void,
  ): Promise<Uint8Array> {
    try {
      if (url.startsWith('file:')) return await readFile(new URL(url));
      const response = await fetch(url);
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const chunks: Uint8Array[] = [];
      let total = 0;
      for await (const chunk of response.body ?? []) {
        total += chunk.length;
        if (total > limit) throw new Error('the file is longer than announced');
        chunks.push(chunk);
        onProgress(total);
      }
      return Buffer.concat(chunks);
    } catch (error) {
      const cause = (error as Error).cause as Error | undefined;
      const reason = cause?.message || (error as Error).message;
      throw new VivariumError('mirror-unreachable', `cannot read ${url}: ${reason}`, {
        cause: error,
      });
    }
  }

  #damaged(path: string, cause?: unknown): VivariumError {
    const message = `${path} of the mirror ${this.#url} does not have the announced contents`;
    return new VivariumError('archive-damaged', message, { cause });
  }
}
