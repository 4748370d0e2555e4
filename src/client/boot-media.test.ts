import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { hasBootSector, isDiscImage } from './boot-media.ts';

describe('what a machine can be started from', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  function image(bytes: number, pieces: Readonly<Record<number, Uint8Array>>): string {
    const contents = new Uint8Array(bytes);
    for (const [at, piece] of Object.entries(pieces)) contents.set(piece, Number(at));
    const path = join(directory, 'image');
    writeFileSync(path, contents);
    return path;
  }
  const signature = Uint8Array.of(0x55, 0xaa);
  const bootable = (pieces: Readonly<Record<number, Uint8Array>>) =>
    hasBootSector({ path: image(4096, pieces), readOnly: true });

  test('a disk with code and signature in its first sector', () => {
    assert.equal(bootable({ 0: Uint8Array.of(0xfa), 510: signature }), true);
  });

  test('not a disk with partitions alone, without signature, or with nothing', () => {
    assert.equal(bootable({ 446: new Uint8Array(64).fill(1), 510: signature }), false);
    assert.equal(bootable({ 0: Uint8Array.of(0xfa) }), false);
    assert.equal(bootable({}), false);
    assert.equal(hasBootSector({ path: image(0, {}), readOnly: true }), false);
  });

  test('a CD, by its first volume descriptor', async () => {
    const name = new TextEncoder().encode('\x01CD001');
    assert.equal(await isDiscImage(image(40_000, { 32768: name })), true);
    assert.equal(await isDiscImage(image(40_000, { 32769: name })), false);
    assert.equal(await isDiscImage(image(10, {})), false);
  });
});
