import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultCacheDirectory, GuestCache } from './guest-cache.ts';
import { withCacheLock } from './guest-lock.ts';

const directory = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
after(() => rmSync(directory, { recursive: true }));
const cache = new GuestCache(directory);
const lock = join(directory, 'lock');

test('work under the lock is done one after the other', async () => {
  const events: string[] = [];
  const work = (name: string) => async () => {
    events.push(`${name} begins`);
    await sleep(50);
    events.push(`${name} ends`);
  };
  let waits = 0;
  const onWait = () => waits++;
  await Promise.all([
    withCacheLock(cache, work('one'), onWait),
    withCacheLock(cache, work('two'), onWait),
  ]);
  assert.match(events.join(), /^(one|two) begins,\1 ends,(one|two) begins,\2 ends$/);
  assert.ok(waits > 0);
  assert.ok(!existsSync(lock));
});

test('the lock is released when the work fails', async () => {
  const failing = withCacheLock(cache, () => Promise.reject(new Error('no')));
  await assert.rejects(failing, { message: 'no' });
  assert.ok(!existsSync(lock));
});

test('a lock of a process that is gone is taken over', async () => {
  writeFileSync(lock, `${hostname()} 4194304999\n`);
  assert.equal(await withCacheLock(cache, async () => 'done'), 'done');
});

test('a lock of another host that nobody renewed is taken over', async () => {
  writeFileSync(lock, 'elsewhere 1\n');
  const past = new Date(Date.now() - 60_000);
  utimesSync(lock, past, past);
  assert.equal(await withCacheLock(cache, async () => 'done'), 'done');
});

test('what a killed process left is removed by the next holder', async () => {
  mkdirSync(join(directory, 'tmp-1-x', 'y'), { recursive: true });
  await withCacheLock(cache, async () => {});
  assert.ok(!existsSync(join(directory, 'tmp-1-x')));
});

test('the cache is where the XDG specification puts it', () => {
  assert.equal(defaultCacheDirectory({ XDG_CACHE_HOME: '/c' }), '/c/vivarium');
  assert.match(defaultCacheDirectory({ XDG_CACHE_HOME: 'relative' }), /\/\.cache\/vivarium$/);
  assert.match(defaultCacheDirectory({}), /\/\.cache\/vivarium$/);
});
