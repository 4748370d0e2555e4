import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hasMke2fs, makeExt4 } from '../guest/image/ext4.fixture.ts';
import { findDiskSystem } from './disk-system.ts';

describe('the system on a disk', { skip: hasMke2fs ? false : 'mke2fs is not installed' }, () => {
  const place = mkdtempSync(join(tmpdir(), 'vivarium-disk-'));
  const path = join(place, 'disk.raw');
  before(() => {
    const image = makeExt4((root) => {
      mkdirSync(join(root, 'boot'));
      mkdirSync(join(root, 'etc/kernel'), { recursive: true });
      writeFileSync(join(root, 'vmlinuz'), 'kernel');
      writeFileSync(join(root, 'initrd.img'), 'initrd');
      writeFileSync(join(root, 'etc/kernel/cmdline'), 'quiet\n');
    });
    writeFileSync(path, image);
    writeFileSync(join(place, 'empty.raw'), new Uint8Array(1 << 20));
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  test('boots with the device that its bus makes of it as root', () => {
    const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
    const system = findDiskSystem({ path });
    assert.equal(system?.cmdline, 'root=/dev/nvme0n1 rw quiet');
    assert.deepEqual([text(system?.kernel), text(system?.initrd)], ['kernel', 'initrd']);
    const readOnly = findDiskSystem({ path, bus: 'virtio', readOnly: true });
    assert.equal(readOnly?.cmdline, 'root=/dev/vda ro quiet');
  });

  test('is none on a disk that is not like that', () => {
    assert.equal(findDiskSystem({ path: join(place, 'empty.raw') }), undefined);
    assert.throws(() => findDiskSystem({ path: join(place, 'none') }), /none/);
  });
});
