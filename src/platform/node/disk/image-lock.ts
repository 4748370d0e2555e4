/**
 * Keeps two machines from writing one image, and a machine from reading what another writes.
 *
 * A lock is a file beside the image that names its holder: `.NAME.viv-write`, or `.NAME.viv-read-ID` for
 * each reader. One that a killed process left is told by its process being gone, and is removed.
 */
import { randomUUID } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { VivariumError } from '../../../util/mod.ts';

/** What a lock file says. */
interface Holder {
  readonly pid: number;
  /** when the process began, so that another of its number is not taken for it */
  readonly startedAt: string;
  /** the machine and, in a container, the process name space in which the number counts */
  readonly place: string;
}

/** A lock that is held. */
export interface ImageLock {
  /** Harmless when it was released already. */
  release(): void;
}

const held = new Set<string>();

/**
 * Locks an image for writing, or for reading by any number. Throws `disk-locked` with a sentence when
 * that cannot be now. Where no file can be put beside the image, the lock is in the directory for
 * temporary files.
 */
export function lockImage(image: string, mode: 'read' | 'write'): ImageLock {
  const path = realpathSync(image);
  if (!statSync(path).isFile()) return lockIn(lockDirectory(), path, mode);
  try {
    return lockIn(dirname(path), path, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw error;
    return lockIn(lockDirectory(), path, mode);
  }
}

function lockIn(directory: string, image: string, mode: 'read' | 'write'): ImageLock {
  const prefix =
    directory === dirname(image) ? `.${basename(image)}.viv-` : `${identity(image)}.viv-`;
  const writer = `${prefix}write`;
  const mine = join(directory, mode === 'write' ? writer : `${prefix}read-${randomUUID()}`);
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(mine, JSON.stringify(me()), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error;
      if (isHeld(mine)) throw inUse(image, 'another machine writes to it', mine);
    }
  }
  held.add(mine);
  const release = () => {
    held.delete(mine);
    rmSync(mine, { force: true });
  };
  // Ours is there: whoever comes later sees it, and whoever was earlier is seen here.
  for (const name of readdirSync(directory)) {
    const other = join(directory, name);
    if (!name.startsWith(prefix) || other === mine) continue;
    if (mode === 'read' && name !== writer) continue;
    if (!isHeld(other)) continue;
    release();
    const does = name === writer ? 'writes to it' : 'reads it';
    throw inUse(image, `another machine ${does}`, other);
  }
  return { release };
}

/** True when the holder of a lock lives, or cannot be asked. A lock without a holder is removed. */
function isHeld(path: string): boolean {
  let holder: Partial<Holder>;
  try {
    holder = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
  if (holder.place !== place()) return true;
  if (held.has(path)) return true;
  if (holder.pid !== process.pid && startOf(Number(holder.pid)) === holder.startedAt) return true;
  rmSync(path, { force: true });
  return false;
}

function me(): Holder {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? '', place: place() };
}

function place(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** When a process began, or undefined when there is none; an empty text where that is not told. */
function startOf(pid: number): string | undefined {
  try {
    // The name, in brackets, may hold anything; the start is field 22.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\)/s, '')
      .trim()
      .split(' ');
    return fields[19] ?? '';
  } catch {
    return isAlive(pid) ? '' : undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function identity(path: string): string {
  const { dev, ino, rdev } = statSync(path);
  return rdev === 0 ? `${dev}-${ino}` : `device-${rdev}`;
}

function lockDirectory(): string {
  const directory = join(tmpdir(), 'vivarium-locks');
  mkdirSync(directory, { recursive: true, mode: 0o1777 });
  return directory;
}

function inUse(image: string, why: string, lock: string): VivariumError {
  return new VivariumError(
    'disk-locked',
    `the disk image ${image} is in use: ${why} (if that cannot be, remove ${lock})`,
  );
}

process.on('exit', () => {
  for (const path of held) rmSync(path, { force: true });
});
