import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { extractDeb } from './deb.ts';
import { makeAr, makeDeb } from './packages.fixture.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const files = {
  'boot/vmlinuz-6.1': bytes('kernel'),
  [`usr/share/${'long'.repeat(40)}`]: bytes('long'),
  empty: bytes(''),
};
const damaged = { name: 'VivariumError', code: 'package-damaged' };

test('the wanted files of a package are extracted, however it is packed', async () => {
  const packings = [
    [gzipSync, '.gz'],
    [zstdCompressSync, '.zst'],
    [(tar: Uint8Array) => tar, ''],
  ] as const;
  for (const [pack, extension] of packings) {
    const found = await extractDeb(await makeDeb(files, pack, extension), () => true);
    assert.deepEqual(new Map(found), new Map(Object.entries(files)), extension);
  }
});

test('only wanted files are extracted', async () => {
  const found = await extractDeb(await makeDeb(files), (path) => path.startsWith('boot/'));
  assert.deepEqual([...found.keys()], ['boot/vmlinuz-6.1']);
});

test('a package that is cut short is refused', async () => {
  const deb = await makeDeb(files);
  for (const length of [0, 5, 100, 300, deb.length - 20]) {
    await assert.rejects(
      extractDeb(deb.subarray(0, length), () => true),
      damaged,
      `at ${length}`,
    );
  }
});

test('a package with broken contents is refused', async () => {
  const packed = gzipSync(new Uint8Array(5000));
  packed[20] = packed[20]! ^ 0xff;
  const cases = {
    'no data': makeAr([['debian-binary', bytes('2.0\n')]]),
    'bad gzip': makeAr([['data.tar.gz', packed]]),
    'no compression': makeAr([['data.tar.xz', bytes('rubbish')]]),
    'no tar': makeAr([['data.tar.gz', gzipSync(bytes('x'.repeat(2000)))]]),
    'no ar': bytes('<html>not found</html>'),
  };
  for (const [name, deb] of Object.entries(cases)) {
    await assert.rejects(
      extractDeb(deb, () => true),
      damaged,
      name,
    );
  }
});
