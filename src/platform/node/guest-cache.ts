/**
 * The directory in which guest software is kept between runs: `$XDG_CACHE_HOME/vivarium`, or
 * `~/.cache/vivarium` (XDG Base Directory Specification). A file appears under its name only when
 * it is whole, so readers need no lock.
 *
 *   guest/     what a default guest boots, ready to use
 *   packages/  Debian packages, and a record of each
 *   files/     single files taken out of packages
 *   apt/       lists and state of the private apt
 *   tmp-*      work in progress; removed when it ends
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import {
  access,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { VivariumError } from '../../util/mod.ts';

/** Where guest software is kept unless the caller names another directory. */
export function defaultCacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment['XDG_CACHE_HOME'];
  // The specification says that a relative path is to be ignored.
  const base = named !== undefined && isAbsolute(named) ? named : join(homedir(), '.cache');
  return join(base, 'vivarium');
}

/** Lists, packages, the default guest unpacked from them, and work in progress. */
const NEEDED_BYTES = 200e6;

export class GuestCache {
  readonly directory: string;

  constructor(directory: string = defaultCacheDirectory()) {
    this.directory = directory;
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  /** Reads a file; undefined if it is not there or, where `bytes` is given, not of that size. */
  async read(path: string, bytes?: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      if (bytes !== undefined && (await stat(path)).size !== bytes) return undefined;
      const contents = await readFile(path);
      return new Uint8Array(contents.buffer as ArrayBuffer, contents.byteOffset, contents.length);
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw this.#failure(error);
    }
  }

  /** Reads a file of JSON; undefined if it is not there or is damaged. */
  async readJson(path: string): Promise<unknown> {
    const contents = await this.read(path);
    if (contents === undefined) return undefined;
    try {
      return JSON.parse(new TextDecoder().decode(contents));
    } catch {
      return undefined;
    }
  }

  /** Writes a file so that it is whole whenever it is there. */
  async write(path: string, contents: Uint8Array | string): Promise<void> {
    const temporary = join(dirname(path), `.${randomUUID()}`);
    await this.guard(async () => {
      await makeDirectory(dirname(path));
      try {
        await writeFile(temporary, contents, { flush: true });
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
  }

  /**
   * Runs `work` with a fresh directory, which is removed afterwards, also when the process is told
   * to end meanwhile.
   */
  async withTemporary<T>(work: (directory: string) => Promise<T>): Promise<T> {
    const directory = this.path(`tmp-${process.pid}-${randomUUID()}`);
    const remove = () => rmSync(directory, { recursive: true, force: true });
    await this.guard(() => makeDirectory(directory));
    process.on('exit', remove);
    try {
      return await work(directory);
    } finally {
      process.off('exit', remove);
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Refuses to begin what would fill the disk: some programs hang when that happens. */
  async requireSpace(): Promise<void> {
    await this.guard(async () => {
      const { bavail, bsize } = await statfs(this.directory);
      if (bavail * bsize < NEEDED_BYTES) throw diskFull(this.directory);
    });
  }

  /** Removes what a killed process left. Only for the holder of the lock. */
  async removeLeftovers(): Promise<void> {
    await this.guard(async () => {
      for (const name of await readdir(this.directory)) {
        if (name.startsWith('tmp-')) await rm(this.path(name), { recursive: true, force: true });
      }
    });
  }

  /** Runs file system work and turns its failures into a sentence about the cache. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): unknown {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof VivariumError || code === undefined) return error;
    if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(this.directory, error);
    const reason = reasons[code] ?? (error as Error).message;
    return new VivariumError(
      'cache-unusable',
      `cannot use the cache directory ${this.directory}: ${reason}; ` +
        'make it writable, or set XDG_CACHE_HOME to a directory that is',
      { cause: error },
    );
  }
}

/**
 * Makes a directory and those above it. Node's own recursive mkdir never returns for a path that
 * the kernel refuses with ENOENT though its parent exists, as below /proc.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || (await exists(parent))) throw error;
    await makeDirectory(parent);
    await makeDirectory(path);
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of its path is not a directory',
  EEXIST: 'a file is in its place',
  ENOENT: 'it cannot be made there',
};

/** The error of a full disk. */
export function diskFull(directory: string, cause?: unknown): VivariumError {
  return new VivariumError(
    'disk-full',
    `the disk that holds the cache directory ${directory} is full; guest software needs 200 MB there`,
    { cause },
  );
}

function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
