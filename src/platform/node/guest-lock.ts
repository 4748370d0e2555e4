/**
 * A lock file that keeps two runs from fetching the same software at once. It saves work; nothing
 * breaks without it, since files enter the cache whole. The holder renews the file's time, so a
 * lock left by a killed process, here or on another host that shares the directory, goes stale.
 */
import { rmSync } from 'node:fs';
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GuestCache, makeDirectory } from './guest-cache.ts';

const RENEW_MILLISECONDS = 5_000;
const STALE_MILLISECONDS = 30_000;
const RETRY_MILLISECONDS = 200;

/** Runs `work` while holding the lock of a cache; `onWait` is called if another run holds it. */
export async function withCacheLock<T>(
  cache: GuestCache,
  work: () => Promise<T>,
  onWait: () => void = () => {},
): Promise<T> {
  const path = cache.path('lock');
  await cache.guard(() => acquire(cache.directory, path, onWait));
  const release = () => rmSync(path, { force: true });
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, RENEW_MILLISECONDS).unref();
  process.on('exit', release);
  try {
    await cache.removeLeftovers();
    return await work();
  } finally {
    process.off('exit', release);
    clearInterval(renewal);
    release();
  }
}

async function acquire(directory: string, path: string, onWait: () => void): Promise<void> {
  await makeDirectory(directory);
  for (;;) {
    try {
      await writeFile(path, `${hostname()} ${process.pid}\n`, { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await isStale(path)) {
      await rm(path, { force: true });
      continue;
    }
    onWait();
    await sleep(RETRY_MILLISECONDS);
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > STALE_MILLISECONDS) return true;
    const [host, pid] = (await readFile(path, 'utf8')).trim().split(' ');
    return host === hostname() && pid !== undefined && !isAlive(Number(pid));
  } catch {
    return false; // it went away, or is being written
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
