import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lockImage } from './image-lock.ts';
import { lockDisks } from './lock-disks.ts';

const directory = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));
let count = 0;
function fresh(): string {
  const path = join(directory, `image-${count++}`);
  writeFileSync(path, new Uint8Array(1024));
  return path;
}
const inUse = { code: 'disk-locked', message: /is in use: another machine (reads|writes to) it/ };

test('an image has one writer or many readers', () => {
  const path = fresh();
  const writer = lockImage(path, 'write');
  assert.throws(() => lockImage(path, 'write'), inUse);
  assert.throws(() => lockImage(path, 'read'), inUse);
  writer.release();
  const readers = [lockImage(path, 'read'), lockImage(path, 'read')];
  assert.throws(() => lockImage(path, 'write'), inUse);
  for (const reader of readers) reader.release();
  lockImage(path, 'write').release();
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.startsWith('.')),
    [],
  );
});

test('an image is the same by whatever name', () => {
  const path = fresh();
  symlinkSync(path, `${path}-link`);
  const writer = lockImage(path, 'write');
  assert.throws(() => lockImage(`${path}-link`, 'write'), inUse);
  writer.release();
});

test('the lock of another process holds while it lives, also when that is killed', async () => {
  const path = fresh();
  const module = new URL('./image-lock.ts', import.meta.url).href;
  const script = `
    const { lockImage } = await import(${JSON.stringify(module)});
    lockImage(${JSON.stringify(path)}, 'write');
    console.log('locked');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  await once(child.stdout, 'data');
  assert.throws(() => lockImage(path, 'write'), inUse);
  assert.throws(() => lockImage(path, 'read'), inUse);
  child.kill('SIGKILL');
  await once(child, 'exit');
  lockImage(path, 'write').release();
});

test('disks are locked together or not at all', () => {
  const [one, two] = [fresh(), fresh()];
  const disk = (path: string, readOnly = false) => ({ path, readOnly, snapshot: false });
  const other = lockImage(two, 'read');
  assert.throws(() => lockDisks([disk(one), disk(two)]), inUse);
  const lock = lockDisks([disk(one), disk(two, true)]);
  lock.release();
  other.release();
  assert.throws(() => lockDisks([disk(one), disk(one)]), inUse);
  lockDisks([disk(one)]).release();
});
