/** Disks in the default guest: made into file systems, written, and found again after a reset. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { expectSuccess, hostTool, noDiskTools, vivCommand } from '../host-tools.ts';
import { BEHIND, type DefaultGuest } from './guest.ts';

export function testDisks(guest: DefaultGuest): void {
  test('appear in the guest under their names, with their sizes and serial numbers', async () => {
    const { text } = await guest.viv.run(
      'cd /sys/block; for d in vda vdb vdc nvme0n1 nvme1n1; do echo $d $(cat $d/size $d/ro); done; ' +
        'cat vdb/serial; echo; cat nvme0n1/device/serial; cd',
    );
    assert.match(text, /vda 49152 0\nvdb 98304 0\nvdc 16384 1\nnvme0n1 65536 0\nnvme1n1 16384 0\n/);
    assert.match(text, /second\nviv-disk-2 *\n/);
  });

  test('hold what is behind them', async () => {
    const sum = createHash('sha256').update(BEHIND).digest('hex');
    for (const disk of ['vdc', 'nvme1n1', 'nvme0n1']) {
      const { text } = await guest.viv.run(
        `dd if=/dev/${disk} bs=1M count=8 2>/dev/null | sha256sum`,
      );
      assert.match(text, new RegExp(sum), disk);
    }
  });

  test('take file systems and files', async () => {
    for (const disk of ['vda', 'vdb', 'nvme0n1', 'nvme1n1']) {
      const { text, status } = await guest.viv.run(
        `mke2fs /dev/${disk} >/dev/null && mount /dev/${disk} /mnt && cp -a /bin /mnt && sync && ` +
          'dd if=/dev/urandom of=/mnt/noise bs=1M count=3 2>/dev/null && ' +
          'sha256sum /mnt/noise /mnt/bin/busybox >/mnt/sums && umount /mnt',
      );
      assert.equal(status, 0, `${disk}: ${text}`);
    }
  });

  test('that are for reading refuse to be written', async () => {
    const { status } = await guest.viv.run(
      'dd if=/dev/zero of=/dev/vdc bs=512 count=1; blkdiscard /dev/vdc',
    );
    assert.notEqual(status, 0);
  });

  test('are refused to a second machine while the first one runs', () => {
    const { qcow2, base } = guest.images;
    const second = vivCommand('run', '--disk', qcow2);
    assert.equal(second.status, 1);
    assert.match(second.text, /disk\.qcow2 is in use: another machine writes to it/);
    const reader = vivCommand('disk', 'convert', qcow2, join(guest.place.path, 'copy.raw'));
    assert.match(reader.text, /is in use/);
    const other = vivCommand('run', '--disk', base);
    assert.match(other.text, /base\.img is in use: another machine reads it/);
  });
}

export function testDisksAfterReset(guest: DefaultGuest): void {
  test('keeps the files on its disks', async () => {
    for (const disk of ['vda', 'vdb', 'nvme0n1', 'nvme1n1']) {
      const { text, status } = await guest.viv.run(
        `mount /dev/${disk} /mnt && sha256sum -c /mnt/sums; S=$?; umount /mnt; (exit $S)`,
      );
      assert.equal(status, 0, `${disk}: ${text}`);
    }
  });

  test('gives space back that it discards', async () => {
    const { text, status } = await guest.viv.run(
      'blkdiscard /dev/vdb && cmp -n 65536 /dev/vdb /dev/zero',
    );
    assert.equal(status, 0, text);
    const filled = await guest.viv.run('mke2fs /dev/vdb >/dev/null && sync');
    assert.equal(filled.status, 0);
  });
}

export function testImagesAfterwards(guest: DefaultGuest): void {
  test('images that are not to change did not', () => {
    assert.deepEqual(readFileSync(guest.images.base), BEHIND);
    assert.deepEqual(readFileSync(guest.images.fixed), BEHIND);
  });

  test('images that were written are sound', { skip: noDiskTools }, () => {
    const { raw, qcow2, front } = guest.images;
    for (const image of [qcow2, front]) {
      expectSuccess(hostTool('qemu-img', 'check', image));
      expectSuccess(vivCommand('disk', 'check', image));
      expectSuccess(hostTool('qemu-img', 'convert', '-O', 'raw', image, `${image}.raw`));
      expectSuccess(hostTool('e2fsck', '-fn', `${image}.raw`));
    }
    expectSuccess(hostTool('e2fsck', '-fn', raw));
  });
}
