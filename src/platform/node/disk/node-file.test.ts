import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NodeFile, NodeFiles } from './node-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const place = (name: string) => join(directory, name);

test('an image file reads zeroes beyond its end and grows by writing', () => {
  writeFileSync(place('a'), 'abc');
  const file = new NodeFiles().open(place('a'), { readOnly: false });
  const bytes = new Uint8Array(6).fill(9);
  file.read(1, bytes);
  assert.deepEqual([...bytes], [98, 99, 0, 0, 0, 0]);
  file.write(5, Uint8Array.of(1, 2));
  assert.equal(file.size(), 7);
  file.truncate(2);
  file.flush();
  file.close();
  assert.equal(readFileSync(place('a'), 'latin1'), 'ab');
});

test('what cannot be an image is refused in a sentence', () => {
  const files = new NodeFiles();
  const open = (path: string) => () => files.open(path, { readOnly: true });
  assert.throws(open(place('none')), { code: 'disk-unreadable', message: /no such file/ });
  assert.throws(open(directory), { code: 'disk-unreadable', message: /is a directory/ });
  assert.throws(open('/dev/null'), { code: 'disk-unreadable', message: /not a regular file/ });
  execFileSync('mkfifo', [place('pipe')]);
  assert.throws(open(place('pipe')), { code: 'disk-unreadable', message: /not a regular file/ });
  writeFileSync(place('there'), '');
  assert.throws(() => files.create(place('there')), { code: 'disk-unwritable' });
  symlinkSync(place('there'), place('link'));
  assert.throws(() => files.create(place('link')), { code: 'disk-unwritable' });
});

test('a write to a full disk fails, or waits until there is room', () => {
  const full = () => openSync('/dev/full', 'r+');
  const failing = new NodeFile('full.img', full(), false);
  assert.throws(() => failing.write(0, Uint8Array.of(1)), {
    code: 'disk-full',
    message: /cannot write the disk image full.img: the host's disk is full/,
  });
  let asked = 0;
  const waiting = new NodeFile('full.img', full(), false, {
    onFull: () => ++asked < 3,
    onRoom: () => assert.fail('there was no room'),
  });
  assert.throws(() => waiting.write(0, Uint8Array.of(1)), { code: 'disk-full' });
  assert.equal(asked, 3);
});

test('names of images are looked up beside the image that names them', () => {
  const files = new NodeFiles();
  assert.equal(files.resolve('/images/front.qcow2', 'base.raw'), '/images/base.raw');
  assert.equal(files.resolve('front.qcow2', '../base.raw'), '../base.raw');
  assert.equal(files.resolve('/images/front.qcow2', '/other/base.raw'), '/other/base.raw');
});
