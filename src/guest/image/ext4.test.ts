import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { VivariumError } from '../../util/mod.ts';
import { findDiskLinux } from './disk-kernel.ts';
import { hasMke2fs, MemoryDisk, makeExt4 } from './ext4.fixture.ts';
import { Ext4, isExt4 } from './ext4.ts';

const LONG = `${'a-long-name/'.repeat(8)}../../../../../../../../boot/vmlinuz-7`;

function fill(root: string): void {
  const at = (name: string) => join(root, name);
  mkdirSync(at('boot'));
  mkdirSync(at('etc/kernel'), { recursive: true });
  mkdirSync(at('many'));
  mkdirSync(at('a-long-name/'.repeat(8)), { recursive: true });
  writeFileSync(at('boot/vmlinuz-7'), 'a kernel');
  writeFileSync(at('boot/initrd.img-7'), Buffer.alloc(300_000, 'initrd '));
  writeFileSync(
    at('boot/config-7'),
    'CONFIG_EXT4_FS=y\nCONFIG_BLK_DEV_NVME=y\nCONFIG_VIRTIO_BLK=m\n',
  );
  writeFileSync(at('etc/kernel/cmdline'), 'console=ttyS0 quiet\n');
  writeFileSync(at('empty'), '');
  symlinkSync('boot/vmlinuz-7', at('vmlinuz'));
  symlinkSync('/boot/initrd.img-7', at('initrd.img'));
  symlinkSync(LONG, at('long'));
  symlinkSync('round', at('round'));
  symlinkSync('../../..', at('boot/out'));
  for (let count = 0; count < 600; count++)
    writeFileSync(at(`many/file-number-${count}`), `${count}`);
  // Holes make more extents than an inode has room for.
  const holes = openSync(at('holes'), 'w');
  for (let block = 0; block < 40; block++) writeSync(holes, `${block}`, block * 16384);
  closeSync(holes);
}

describe('the reader of ext4', { skip: hasMke2fs ? false : 'mke2fs is not installed' }, () => {
  let image = new Uint8Array();
  before(() => {
    image = makeExt4(fill);
  });

  function text(files: Ext4, path: string): string | undefined {
    const bytes = files.readFile(path);
    return bytes && new TextDecoder().decode(bytes);
  }

  for (const [kind, options] of [
    ['as mke2fs makes them', []],
    ['with small blocks and inodes', ['-b', '1024', '-I', '128', '-N', '2000']],
    ['without 64 bits, checksums and journal', ['-O', '^64bit,^metadata_csum,^has_journal']],
  ] as const) {
    test(`reads files, directories and links, ${kind}`, () => {
      const files = new Ext4(new MemoryDisk(makeExt4(fill, options)));
      assert.equal(text(files, '/boot/vmlinuz-7'), 'a kernel');
      assert.equal(text(files, 'vmlinuz'), 'a kernel');
      assert.equal(text(files, '/long'), 'a kernel');
      assert.equal(text(files, '/boot/out/vmlinuz'), 'a kernel');
      assert.equal(files.readFile('/initrd.img')?.length, 300_000);
      assert.equal(text(files, '/empty'), '');
      assert.equal(text(files, '/many/file-number-577'), '577');
      const holes = files.readFile('/holes') as Uint8Array;
      assert.equal(holes.length, 39 * 16384 + 2);
      assert.equal(new TextDecoder().decode(holes.subarray(20 * 16384, 20 * 16384 + 3)), '20\0');
      assert.equal(files.resolve('/vmlinuz'), '/boot/vmlinuz-7');
      for (const path of ['/none', '/boot', '/boot/vmlinuz-7/x', '/round', '/many/file']) {
        assert.equal(files.readFile(path), undefined, path);
      }
    });
  }

  test('finds the system of a disk, with an initial RAM disk only if its kernel needs one', () => {
    const disk = new MemoryDisk(image);
    const nvme = findDiskLinux(disk, 'nvme');
    assert.equal(nvme?.kernelPath, '/boot/vmlinuz-7');
    assert.equal(nvme?.cmdline, 'console=ttyS0 quiet');
    assert.equal(nvme?.initrd, undefined);
    assert.equal(findDiskLinux(disk, 'virtio')?.initrd?.length, 300_000);
    assert.equal(findDiskLinux(new MemoryDisk(new Uint8Array(1 << 20)), 'nvme'), undefined);
    const bare = makeExt4((root) => writeFileSync(join(root, 'vmlinuz'), 'k'));
    assert.equal(findDiskLinux(new MemoryDisk(bare), 'nvme')?.cmdline, 'console=ttyS0');
    assert.equal(findDiskLinux(new MemoryDisk(makeExt4(() => {})), 'nvme'), undefined);
  });

  test('says what it cannot read, of damaged file systems too, and always comes to an end', () => {
    assert.equal(isExt4(new MemoryDisk(new Uint8Array(100))), false);
    const strange = image.slice();
    new DataView(strange.buffer).setUint32(1024 + 0x60, 0x10000, true);
    assert.throws(() => new Ext4(new MemoryDisk(strange)), /features 0x10000 are not known/);
    let state = 1;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % below;
    };
    // The first blocks hold everything that describes the files.
    const used = image.findLastIndex((byte) => byte !== 0);
    let refusals = 0;
    for (let round = 0; round < 100; round++) {
      const broken = image.slice();
      for (let flips = 0; flips < 200; flips++) broken[1024 + random(used)] = random(256);
      for (let flips = 0; flips < 3; flips++) broken[1024 + random(0x100)] = random(256);
      new DataView(broken.buffer).setUint16(1024 + 0x38, 0xef53, true);
      const disk = new MemoryDisk(broken);
      try {
        findDiskLinux(disk, 'virtio');
      } catch (error) {
        assert.ok(error instanceof VivariumError, String(error));
        refusals++;
      }
      assert.ok(disk.reads < 300_000);
    }
    assert.ok(refusals > 10, `${refusals} of 100 were refused`);
  });
});
