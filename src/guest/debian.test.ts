import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareVersions,
  isSafePath,
  kernelPackageName,
  newestRecord,
  parseStanzas,
  releaseSums,
  stanzasOf,
} from './debian.ts';

const sum = 'ab'.repeat(32);
const packages = `Package: busybox
Version: 1:1.35.0-4
Filename: pool/main/b/busybox/busybox_1.35.0-4_amd64.deb
Size: 1000
SHA256: ${sum}

Package: linux-image-cloud-amd64
Version: 6.1.176-1
Depends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1)
Filename: pool/l/meta1.deb
Size: 10
SHA256: ${sum}

Package: linux-image-cloud-amd64
Source: linux-signed-amd64 (6.1.192+2)
Version: 6.1.192-2
Depends: kmod | something (>= 3), linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)
Description: Linux for x86-64 cloud (meta-package)
 more text
 .
 and more
Filename: pool/l/meta2.deb
Size: 11
SHA256: ${sum}
`;

test('stanzas have their fields, continued lines included', () => {
  const [, , third] = parseStanzas(packages);
  assert.equal(third?.get('Version'), '6.1.192-2');
  assert.equal(
    third?.get('Description'),
    'Linux for x86-64 cloud (meta-package)\nmore text\n.\nand more',
  );
});

test('of several records of a package the newest counts', () => {
  assert.deepEqual(newestRecord(packages, 'linux-image-cloud-amd64'), {
    name: 'linux-image-cloud-amd64',
    version: '6.1.192-2',
    filename: 'pool/l/meta2.deb',
    bytes: 11,
    sha256: sum,
    depends: ['kmod', 'linux-image-6.1.0-56-cloud-amd64'],
  });
  assert.equal(newestRecord(packages, 'linux'), undefined);
});

test('the stanzas of one package are found in a long list, first, middle and last', () => {
  assert.equal(newestRecord(stanzasOf(packages, 'busybox'), 'busybox')?.bytes, 1000);
  const meta = stanzasOf(packages, 'linux-image-cloud-amd64');
  assert.equal(parseStanzas(meta).length, 2);
  assert.equal(stanzasOf(packages, 'busy'), '');
});

test('a record with a path outside of the archive or a bad sum is refused', () => {
  const error = { name: 'VivariumError', code: 'archive-damaged' };
  for (const [from, to] of [
    ['pool/main/b/busybox/', '../../etc/'],
    ['pool/main/b/busybox/', '/etc/'],
    [sum, 'ab'],
    ['Size: 1000', 'Size: many'],
  ] as const) {
    assert.throws(() => newestRecord(packages.replaceAll(from, to), 'busybox'), error, to);
  }
});

test('a meta package leads to the package with the kernel', () => {
  const meta = newestRecord(packages, 'linux-image-cloud-amd64')!;
  assert.equal(kernelPackageName(meta), 'linux-image-6.1.0-56-cloud-amd64');
  assert.equal(kernelPackageName({ ...meta, depends: ['kmod'] }), 'linux-image-cloud-amd64');
});

test('versions are ordered as Debian orders them', () => {
  const ascending = [
    '0.9',
    '1.0~~',
    '1.0~rc1',
    '1.0',
    '1.0-1',
    '1.0-1+b1',
    '1.0-1+deb12u1',
    '1.0a',
    '1.0+x',
    '1.9',
    '1.10',
    '1:0.1',
  ];
  for (let left = 0; left < ascending.length; left++) {
    for (let right = 0; right < ascending.length; right++) {
      const order = Math.sign(compareVersions(ascending[left]!, ascending[right]!));
      assert.equal(order, Math.sign(left - right), `${ascending[left]} and ${ascending[right]}`);
    }
  }
});

test('a Release file yields the sums of its indexes', () => {
  const release = `Origin: Debian\nMD5Sum:\n aa 1 x\nSHA256:\n ${sum}  123 main/Packages.xz\n cd 5 other\n`;
  assert.deepEqual(releaseSums(release).get('main/Packages.xz'), { sha256: sum, bytes: 123 });
});

test('paths that leave their root are not safe', () => {
  for (const path of ['a', 'a/b.deb', 'lib/x_1%3a2~+.deb']) assert.ok(isSafePath(path), path);
  for (const path of ['', '/a', '../a', 'a/../b', 'a b', 'a\0']) assert.ok(!isSafePath(path), path);
});
