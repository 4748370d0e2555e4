import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestGuest, TestShare } from '../../../share/guest.fixture.ts';
import { MetadataFile } from './metadata-file.ts';

function place(): Disposable & { readonly path: string } {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-metadata-'));
  return {
    path: join(directory, 'folders', 'one.jsonl'),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

const fail = (error: Error) => {
  throw error;
};

test('what the guest set is there again in the next run', async () => {
  using file = place();
  await using share = new TestShare();
  const guest = share.guest({ metadata: new MetadataFile(file.path, fail) });
  const { node } = guest.makeNode(1, 'pipe', 0o010640);
  guest.setAttributes(node, { uid: 7, gid: 8 });
  const plain = guest.makeNode(1, 'plain', 0o100644);
  guest.setAttributes(plain.node, { uid: 9 });
  guest.setAttributes(plain.node, { uid: 0 });
  const next = new TestGuest(share.serve({ metadata: new MetadataFile(file.path, fail) }));
  const found = next.lookUp(1, 'pipe');
  assert.deepEqual([found.uid, found.gid, found.mode], [7, 8, 0o010640]);
  assert.equal(next.lookUp(1, 'plain').uid, 0);
});

test('files as they usually are leave no record', async () => {
  using file = place();
  await using share = new TestShare();
  const metadata = new MetadataFile(file.path, fail);
  const guest = share.guest({ metadata });
  guest.setAttributes(guest.makeNode(1, 'file', 0o100444).node, { mode: 0o755, uid: 0, gid: 0 });
  guest.makeDirectory(1, 'dir');
  assert.equal(metadata.records.size, 0);
  assert.throws(() => readFileSync(file.path), { code: 'ENOENT' });
});

test('lines that are none count for nothing, and waste is cleared away', () => {
  using file = place();
  const metadata = new MetadataFile(file.path, fail);
  metadata.records.set('1:2:3', { uid: 5 });
  metadata.changed('1:2:3');
  const junk = ['{', '["x"]', '["1:2:4",{"uid":-1}]', '["1:2:5",{"mode":{"guest":1}}]', '[]'];
  appendFileSync(file.path, `${junk.join('\n')}\n["1:2:3",{"uid":6}]\n["1:2`);
  assert.deepEqual([...new MetadataFile(file.path, fail).records], [['1:2:3', { uid: 6 }]]);
  appendFileSync(file.path, `\n${'["1:2:9",null]\n'.repeat(2000)}`);
  assert.deepEqual([...new MetadataFile(file.path, fail).records], [['1:2:3', { uid: 6 }]]);
  assert.equal(readFileSync(file.path, 'utf8'), '["1:2:3",{"uid":6}]\n');
});

test('a file whose owner changes all the time does not fill the host’s disk', () => {
  using file = place();
  const metadata = new MetadataFile(file.path, fail);
  for (let uid = 0; uid < 1500; uid++) {
    metadata.records.set('1:2:3', { uid });
    metadata.changed('1:2:3');
  }
  assert.ok(readFileSync(file.path, 'utf8').split('\n').length < 1100);
  assert.equal(new MetadataFile(file.path, fail).records.get('1:2:3')?.uid, 1499);
});

test('a place that cannot be written is told of once', () => {
  using file = place();
  const errors: Error[] = [];
  rmSync(join(file.path, '..', '..'), { recursive: true });
  writeFileSync(join(file.path, '..', '..'), 'a file in the way');
  const metadata = new MetadataFile(file.path, (error) => errors.push(error));
  metadata.records.set('1:2:3', { uid: 5 });
  metadata.changed('1:2:3');
  metadata.changed('1:2:3');
  assert.equal(errors.length, 1);
});
