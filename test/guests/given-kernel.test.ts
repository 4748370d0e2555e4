/** The stock kernel as files that the user names, with pipes for streams. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { expectSuccess, hostTool, noDiskTools } from './host-tools.ts';
import { busybox, obedientInitrd, stockBzImage, stockElf, Workplace } from './images.ts';
import { runViv, type Session } from './session.ts';

describe('a stock kernel in a file', { timeout: 600_000 }, () => {
  const place = new Workplace();
  after(() => place[Symbol.dispose]());

  test('boots as bzImage, and --no-reboot makes a reset the end', async () => {
    const kernel = place.file('bzImage', await stockBzImage());
    const initrd = place.file('initrd', await obedientInitrd());
    await using viv = runViv([
      ...['--kernel', kernel, '--initrd', initrd, '--cmdline', 'console=ttyS0 panic=-1'],
      ...['--serial', 'stdio', '--timeout', '300', '--no-reboot'],
    ]);
    await viv.expect(/init here, Linux 6\.\S+, command line console=ttyS0 panic=-1\r\n/);
    viv.type('reboot -f\n');
    const { code, output, errors } = await viv.ended;
    assert.equal(errors, '');
    assert.equal(code, 0);
    assert.equal(output.match(/init here/g)?.length, 1);
    assert.match(output, /^\[ +0\.\d+\] Linux version 6/m);
    assert.match(output, /reboot: Restarting system/);
  });

  describe('without an initial RAM disk', { skip: noDiskTools }, () => {
    const image = join(place.path, 'root.img');
    let kernel: string;

    before(async () => {
      kernel = place.file('vmlinux', await stockElf());
      const root = join(place.path, 'root');
      for (const folder of ['bin', 'dev', 'proc', 'sbin'])
        mkdirSync(join(root, folder), { recursive: true });
      writeFileSync(join(root, 'bin/busybox'), await busybox(), { mode: 0o755 });
      symlinkSync('busybox', join(root, 'bin/sh'));
      expectSuccess(hostTool('mke2fs', '-q', '-t', 'ext4', '-d', root, image, '32M'));
    });

    const boot = (): Session =>
      runViv([
        ...['--kernel', kernel, '--disk', `${image},bus=nvme`, '--no-reboot', '--timeout', '500'],
        ...['--cmdline', 'console=ttyS0 quiet panic=-1 root=/dev/nvme0n1 rw init=/bin/sh'],
      ]);

    test('boots as ELF, finds its root on an NVMe disk, and its panic is a reset', async () => {
      await using viv = boot();
      await viv.expect('/ # ');
      const { status } = await viv.run('echo something to keep >/note; busybox sync');
      assert.equal(status, 0);
      viv.type('exit\n');
      const { code, output, errors } = await viv.ended;
      assert.match(output, /Kernel panic - not syncing: Attempted to kill init!/);
      assert.equal(errors, '');
      assert.equal(code, 0);
    });

    test('finds what its disk kept, and powers off', async () => {
      await using viv = boot();
      await viv.expect('/ # ');
      assert.equal((await viv.run('busybox cat /note')).text, 'something to keep\n');
      viv.type('busybox sync; busybox mount -o remount,ro /; busybox poweroff -f\n');
      const { code, errors } = await viv.ended;
      assert.equal(code, 0, errors);
      expectSuccess(hostTool('e2fsck', '-fn', image));
    });
  });
});
