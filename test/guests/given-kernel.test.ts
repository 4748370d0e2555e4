/** The stock kernel as files that the user names, with pipes for streams. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { obedientInitrd, stockBzImage, stockElf, Workplace } from './images.ts';
import { runViv } from './session.ts';

const COMMON = ['--cmdline', 'console=ttyS0 panic=-1', '--serial', 'stdio', '--timeout', '300'];

describe('a stock kernel and an initial RAM disk in files', { timeout: 400_000 }, () => {
  const place = new Workplace();
  let initrd: string;

  before(async () => {
    initrd = place.file('initrd', await obedientInitrd());
  });
  after(() => place[Symbol.dispose]());

  test('boots as bzImage, and --no-reboot makes a reset the end', async () => {
    const kernel = place.file('bzImage', await stockBzImage());
    await using viv = runViv(['--kernel', kernel, '--initrd', initrd, ...COMMON, '--no-reboot']);
    await viv.expect(/init here, Linux 6\.\S+, command line console=ttyS0 panic=-1\r\n/);
    viv.type('reboot -f\n');
    const { code, output, errors } = await viv.ended;
    assert.equal(errors, '');
    assert.equal(code, 0);
    assert.equal(output.match(/init here/g)?.length, 1);
    assert.match(output, /^\[ +0\.\d+\] Linux version 6/m);
    assert.match(output, /reboot: Restarting system/);
  });

  test('boots as ELF, starts again on a reset, and powers off', async () => {
    const kernel = place.file('vmlinux', await stockElf());
    await using viv = runViv(['--kernel', kernel, '--initrd', initrd, ...COMMON]);
    await viv.expect('init here');
    viv.type('touch /tmp/mark; reboot -f\n');
    await viv.expect(/Linux version 6/);
    await viv.expect('init here');
    assert.equal((await viv.run('ls /tmp')).text, '', 'memory of the first life is gone');
    viv.type('poweroff -f\n');
    const { code, errors } = await viv.ended;
    assert.equal(errors, '');
    assert.equal(code, 0);
  });

  test('a kernel panic is a reset too', async () => {
    const kernel = place.file('vmlinux', await stockElf());
    await using viv = runViv(['--kernel', kernel, ...COMMON, '--no-reboot']);
    const { code, output } = await viv.ended;
    assert.match(output, /Kernel panic - not syncing: VFS: Unable to mount root fs/);
    assert.equal(code, 0);
  });
});
