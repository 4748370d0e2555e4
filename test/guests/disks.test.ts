/** Disks in the default guest: made into file systems, written, found again after a reset and by QEMU's tools. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { busybox, stockElf, Workplace } from './images.ts';
import { binViv, runViv, type Session } from './session.ts';

const MIB = 2 ** 20;
const hasTools =
  spawnSync('qemu-img', ['--version']).status === 0 && spawnSync('e2fsck', ['-V']).status === 0;
const skip = hasTools ? false : 'qemu-img and e2fsck are needed (Debian: qemu-utils, e2fsprogs)';

function tool(name: string, ...words: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(name, words, { encoding: 'utf8' });
  return { status, text: `${stdout}${stderr}` };
}

function viv(...words: string[]): { status: number | null; text: string } {
  return tool(process.execPath, binViv, ...words);
}

function expectSuccess({ status, text }: { status: number | null; text: string }): void {
  assert.equal(status, 0, text);
}

describe('disks of a machine', { timeout: 600_000, skip }, () => {
  const place = new Workplace();
  const path = (name: string) => join(place.path, name);
  const [raw, qcow2, base, front, fixed] = [
    path('raw.img'),
    path('disk.qcow2'),
    path('base.img'),
    path('front.qcow2'),
    path('fixed.img'),
  ];
  const behind = Buffer.from(Array.from({ length: 8 * MIB }, (_, at) => (at >> 9) & 0xff));
  let guest: Session;

  before(async () => {
    writeFileSync(raw, '');
    truncateSync(raw, 24 * MIB);
    expectSuccess(viv('disk', 'create', qcow2, '48M'));
    writeFileSync(base, behind);
    expectSuccess(viv('disk', 'create', front, '32M', '--backing', base));
    writeFileSync(fixed, behind);
    guest = runViv([
      ...['--disk', raw, '--disk', `${qcow2},serial=second`, '--disk', `${front},bus=nvme`],
      ...['--disk', `${fixed},readonly`, '--disk', `${fixed},snapshot,format=raw,bus=nvme`],
      ...['--timeout', '580'],
    ]);
    await guest.expect('vivarium:~# ');
  });

  after(async () => {
    await guest[Symbol.asyncDispose]();
    place[Symbol.dispose]();
  });

  test('appear in the guest under their names, with their sizes and serial numbers', async () => {
    const { text } = await guest.run(
      'cd /sys/block; for d in vda vdb vdc nvme0n1 nvme1n1; do echo $d $(cat $d/size $d/ro); done; ' +
        'cat vdb/serial; echo; cat nvme0n1/device/serial; cd',
    );
    assert.match(text, /vda 49152 0\nvdb 98304 0\nvdc 16384 1\nnvme0n1 65536 0\nnvme1n1 16384 0\n/);
    assert.match(text, /second\nviv-disk-2 *\n/);
  });

  test('hold what is behind them', async () => {
    const sum = createHash('sha256').update(behind).digest('hex');
    for (const disk of ['vdc', 'nvme1n1', 'nvme0n1']) {
      const { text } = await guest.run(`dd if=/dev/${disk} bs=1M count=8 2>/dev/null | sha256sum`);
      assert.match(text, new RegExp(sum), disk);
    }
  });

  test('take file systems, and keep files over a reset', async () => {
    for (const disk of ['vda', 'vdb', 'nvme0n1', 'nvme1n1']) {
      const { text, status } = await guest.run(
        `mke2fs /dev/${disk} >/dev/null && mount /dev/${disk} /mnt && cp -a /bin /mnt && sync && ` +
          'dd if=/dev/urandom of=/mnt/noise bs=1M count=3 2>/dev/null && ' +
          'sha256sum /mnt/noise /mnt/bin/busybox >/mnt/sums && umount /mnt',
      );
      assert.equal(status, 0, `${disk}: ${text}`);
    }
    const refused = await guest.run(
      'dd if=/dev/zero of=/dev/vdc bs=512 count=1; blkdiscard /dev/vdc',
    );
    assert.notEqual(refused.status, 0);
    guest.type('reboot -f\n');
    await guest.expect('Welcome to Linux');
    await guest.expect('vivarium:~# ');
    for (const disk of ['vda', 'vdb', 'nvme0n1', 'nvme1n1']) {
      const { text, status } = await guest.run(
        `mount /dev/${disk} /mnt && sha256sum -c /mnt/sums; S=$?; umount /mnt; (exit $S)`,
      );
      assert.equal(status, 0, `${disk}: ${text}`);
    }
  });

  test('give space back that the guest discards', async () => {
    const { text, status } = await guest.run(
      'blkdiscard /dev/vdb && cmp -n 65536 /dev/vdb /dev/zero',
    );
    assert.equal(status, 0, text);
    const filled = await guest.run('mke2fs /dev/vdb >/dev/null && sync');
    assert.equal(filled.status, 0);
  });

  test('are refused to a second machine while the first one runs', () => {
    const second = viv('run', '--disk', qcow2);
    assert.equal(second.status, 1);
    assert.match(second.text, /disk\.qcow2 is in use: another machine writes to it/);
    const reader = viv('disk', 'convert', qcow2, path('copy.raw'));
    assert.match(reader.text, /is in use/);
    assert.match(viv('run', '--disk', base).text, /base\.img is in use: another machine reads it/);
  });

  test('are sound when the machine is off, and those that are not to change did not', async () => {
    guest.type('poweroff\n');
    const { code } = await guest.ended;
    assert.equal(code, 0, guest.errors);
    assert.deepEqual(readFileSync(base), behind);
    assert.deepEqual(readFileSync(fixed), behind);
    for (const image of [qcow2, front]) {
      expectSuccess(tool('qemu-img', 'check', image));
      expectSuccess(viv('disk', 'check', image));
      expectSuccess(tool('qemu-img', 'convert', '-O', 'raw', image, `${image}.raw`));
      expectSuccess(tool('e2fsck', '-fn', `${image}.raw`));
    }
    expectSuccess(tool('e2fsck', '-fn', raw));
  });
});

describe('a machine that is killed', { timeout: 300_000, skip }, () => {
  test('loses nothing that its guest had flushed, and leaves a valid image', async () => {
    using place = new Workplace();
    for (const bus of ['virtio', 'nvme']) {
      const image = join(place.path, `${bus}.qcow2`);
      expectSuccess(viv('disk', 'create', image, '64M', '--cluster-size', '4K'));
      await using guest = runViv(['--disk', `${image},bus=${bus}`, '--timeout', '280']);
      await guest.expect('vivarium:~# ');
      const disk = bus === 'virtio' ? '/dev/vda' : '/dev/nvme0n1';
      // Block i of 16 KiB, at place 37 i mod 4096, is full of the text of i.
      guest.type(
        `i=0; while :; do i=$((i+1)); yes "block $i" | head -c 16384 | dd of=${disk} bs=16384 ` +
          'seek=$((i*37%4096)) conv=fsync,notrunc 2>/dev/null && echo "flushed $i."; done\n',
      );
      for (let count = 0; count < 25; count++) await guest.expect(/flushed \d+\./);
      guest.process.kill('SIGKILL');
      await guest.ended;
      const flushed = Math.max(
        ...[...guest.output.matchAll(/flushed (\d+)\./g)].map(([, i]) => Number(i)),
      );
      const { status, text } = tool('qemu-img', 'check', image);
      assert.ok(status === 0 || status === 3, text); // 3: clusters that are taken for nothing
      const copy = `${image}.raw`;
      expectSuccess(tool('qemu-img', 'convert', '-O', 'raw', image, copy));
      const bytes = readFileSync(copy);
      for (let block = 1; block <= flushed; block++) {
        const at = ((block * 37) % 4096) * 16_384;
        const line = `block ${block}\n`;
        const should = line.repeat(Math.ceil(16_384 / line.length)).slice(0, 16_384);
        assert.equal(bytes.toString('latin1', at, at + 16_384), should, `block ${block}`);
      }
      const again = viv('disk', 'check', image, '--repair');
      expectSuccess(again);
      expectSuccess(tool('qemu-img', 'check', image));
    }
  });
});

describe('a kernel without initial RAM disk', { timeout: 300_000, skip }, () => {
  test('finds its root on an NVMe disk, and keeps what is written there', async () => {
    using place = new Workplace();
    const kernel = place.file('vmlinux', await stockElf());
    const tree = place.path;
    for (const folder of ['bin', 'dev', 'proc', 'sbin'])
      mkdirSync(join(tree, 'root', folder), { recursive: true });
    writeFileSync(join(tree, 'root/bin/busybox'), await busybox(), { mode: 0o755 });
    symlinkSync('busybox', join(tree, 'root/bin/sh'));
    const image = join(tree, 'root.img');
    expectSuccess(tool('mke2fs', '-q', '-t', 'ext4', '-d', join(tree, 'root'), image, '32M'));
    const boot = () =>
      runViv([
        ...['--kernel', kernel, '--disk', `${image},bus=nvme`, '--no-reboot', '--timeout', '200'],
        ...['--cmdline', 'console=ttyS0 quiet root=/dev/nvme0n1 rw init=/bin/sh'],
      ]);
    const halt = 'busybox sync; busybox mount -o remount,ro /; busybox poweroff -f\n';
    await using first = boot();
    await first.expect('/ # ');
    assert.equal((await first.run('echo something to keep >/note')).status, 0);
    first.type(halt);
    assert.equal((await first.ended).code, 0, first.errors);
    await using second = boot();
    await second.expect('/ # ');
    assert.equal((await second.run('busybox cat /note')).text, 'something to keep\n');
    second.type(halt);
    assert.equal((await second.ended).code, 0, second.errors);
    expectSuccess(tool('e2fsck', '-fn', image));
  });
});

const isRoot = process.getuid?.() === 0;
describe('a full disk of the host', {
  timeout: 300_000,
  skip: skip || (!isRoot && 'root is needed'),
}, () => {
  test('lets the guest wait, with a message, until there is room', async () => {
    using place = new Workplace();
    const small = join(place.path, 'small');
    mkdirSync(small);
    expectSuccess(tool('mount', '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', small));
    try {
      const image = join(small, 'disk.qcow2');
      expectSuccess(viv('disk', 'create', image, '64M'));
      writeFileSync(join(small, 'other'), new Uint8Array(10 * MIB));
      await using guest = runViv(['--disk', image, '--timeout', '280']);
      await guest.expect('vivarium:~# ');
      guest.send(
        'dd if=/dev/zero bs=1M count=12 2>/dev/null | tr "\\0" x | dd of=/dev/vda bs=1M conv=fsync 2>/dev/null',
      );
      while (!guest.errors.includes('disk is full')) await sleep(100);
      assert.match(guest.errors, /the machine waits until there is room for .*disk\.qcow2/);
      rmSync(join(small, 'other'));
      assert.equal((await guest.result()).status, 0);
      assert.match(guest.errors, /there is room .* again: the machine goes on/);
      guest.type('poweroff\n');
      assert.equal((await guest.ended).code, 0, guest.errors);
      expectSuccess(tool('qemu-img', 'check', image));
    } finally {
      tool('umount', small);
    }
  });
});
