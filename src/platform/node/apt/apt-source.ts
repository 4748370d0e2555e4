/**
 * Packages through the host's apt, as the user who runs us. apt checks the signatures of the
 * archive and the checksums of what it fetches; see apt-secure(8).
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newestRecord, type PackageRecord } from '../../../guest/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { diskFull, type GuestCache, makeDirectory } from '../guest-cache.ts';
import { privateAptConfig } from './apt-config.ts';
import type { Architecture, PackageSource, ReportProgress } from './package-source.ts';
import { type ProcessResult, runProcess } from './process.ts';

/** Lists older than this are fetched anew before a package is looked up. */
const LISTS_MAX_AGE = 3600 * 1000;

/** True if the host has apt. */
export async function hasApt(): Promise<boolean> {
  try {
    return (await runProcess('apt-get', ['--version'])).code === 0;
  } catch {
    return false;
  }
}

export class AptSource implements PackageSource {
  readonly #cache: GuestCache;
  readonly #report: ReportProgress;
  readonly #architecture: Architecture;
  #isReady = false;

  constructor(cache: GuestCache, report: ReportProgress, architecture: Architecture = 'amd64') {
    this.#cache = cache;
    this.#report = report;
    this.#architecture = architecture;
  }

  async describe(name: string): Promise<PackageRecord> {
    await this.#prepare();
    const found = await this.#lookUp(name);
    if (found) return found;
    // Lists may be from before the host's sources were changed.
    await this.#update();
    const record = await this.#lookUp(name);
    if (record) return record;
    throw new VivariumError(
      'package-unknown',
      `the package sources of this host have no package ${name} for ${this.#architecture}: name a Debian mirror ` +
        'in VIVARIUM_MIRROR, or your own files with --kernel and --initrd',
    );
  }

  async download(record: PackageRecord): Promise<Uint8Array> {
    await this.#prepare();
    const fetched = await this.#fetch(record);
    if (fetched instanceof Uint8Array) return fetched;
    throw failure(`cannot fetch the package ${record.name}`, fetched, this.#cache.directory);
  }

  get #directory(): string {
    // Lists and state are those of one architecture.
    return this.#cache.path(this.#architecture === 'amd64' ? 'apt' : `apt-${this.#architecture}`);
  }

  async #prepare(): Promise<void> {
    if (this.#isReady) return;
    const dump = await runProcess('apt-config', ['dump']);
    await this.#cache.guard(async () => {
      for (const part of ['state', 'lists/partial', 'cache/archives/partial', 'log']) {
        await makeDirectory(join(this.#directory, part));
      }
      await writeFile(join(this.#directory, 'status'), '');
      const config = privateAptConfig(dump.stdout, this.#directory, this.#architecture);
      await writeFile(join(this.#directory, 'apt.conf'), config);
    });
    this.#isReady = true;
    if (!(await this.#hasFreshLists())) await this.#update();
  }

  async #hasFreshLists(): Promise<boolean> {
    try {
      const { mtimeMs } = await stat(join(this.#directory, 'updated'));
      return Date.now() - mtimeMs < LISTS_MAX_AGE;
    } catch {
      return false;
    }
  }

  async #update(): Promise<void> {
    this.#report('reading the package lists');
    const result = await this.#apt('apt-get', ['update'], 'reading the package lists');
    // apt also fails when one source of several does; what matters is whether packages are found.
    const lists = await readdir(join(this.#directory, 'lists'));
    if (!lists.some((name) => /Packages(\.\w+)?$/.test(name))) {
      throw failure('cannot read the package lists', result, this.#cache.directory);
    }
    await this.#cache.guard(() => writeFile(join(this.#directory, 'updated'), ''));
  }

  async #lookUp(name: string): Promise<PackageRecord | undefined> {
    const result = await this.#apt('apt-cache', ['show', '--no-all-versions', name]);
    return newestRecord(result.stdout, name);
  }

  async #fetch(record: PackageRecord): Promise<Uint8Array | ProcessResult> {
    const what = `fetching ${record.name} (${Math.ceil(record.bytes / 1e6)} MB)`;
    this.#report(what);
    return await this.#cache.withTemporary(async (directory) => {
      const wanted = `${record.name}=${record.version}`;
      const result = await this.#apt('apt-get', ['download', wanted], what, directory);
      const file = (await readdir(directory)).find((name) => name.endsWith('.deb'));
      if (result.code !== 0 || file === undefined) return result;
      const bytes = await readFile(join(directory, file));
      const sum = createHash('sha256').update(bytes).digest('hex');
      if (sum === record.sha256) return bytes;
      throw new VivariumError('package-damaged', `the package ${record.name} arrived damaged`);
    });
  }

  #apt(
    program: string,
    arguments_: readonly string[],
    what?: string,
    cwd?: string,
  ): Promise<ProcessResult> {
    const reportsStatus = what === undefined ? [] : ['-o', 'APT::Status-Fd=3'];
    return runProcess(program, ['-q', ...reportsStatus, ...arguments_], {
      env: { APT_CONFIG: join(this.#directory, 'apt.conf') },
      onStatus: (line) => {
        // dlstatus:ITEM:PERCENT:TEXT
        const percent = Number(/^dlstatus:[^:]*:([\d.]+):/.exec(line)?.[1]);
        if (what !== undefined && percent >= 10) {
          this.#report(`${what}: ${Math.floor(percent / 10) * 10}%`);
        }
      },
      ...(cwd === undefined ? {} : { cwd }),
    });
  }
}

/** One sentence from what apt says on its standard error. */
function failure(what: string, { stderr }: ProcessResult, directory: string): VivariumError {
  if (/no space left|enough free space|quota exceeded/i.test(stderr)) return diskFull(directory);
  const lines = stderr.split('\n').map((line) => line.trim());
  const reason = lines.find((line) => line.startsWith('E:')) ?? lines.find((line) => line !== '');
  const detail = reason?.replace(/^[EW]:\s*/, '') ?? 'apt gave no reason';
  return new VivariumError('apt-failed', `${what}: ${detail}`, { cause: stderr });
}
