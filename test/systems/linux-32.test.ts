/** Debian's kernels for 32-bit processors, with and without PAE, and a 32-bit userland. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { buildInitrd } from '../../src/guest/mod.ts';
import { Workplace } from '../guests/images.ts';
import { runViv } from '../guests/session.ts';
import { busyboxOf, kernelOf, orSkip } from './packages.ts';

const PATIENCE_SECONDS = 400;

for (const meta of ['linux-image-686-pae', 'linux-image-686']) {
  describe(`${meta} of Debian`, { timeout: 900_000 }, async () => {
    const place = new Workplace();
    after(() => place[Symbol.dispose]());
    const { value, skip } = await orSkip(async () => ({
      kernel: place.file('kernel', await kernelOf(meta, 'i386')),
      initrd: place.file('initrd', buildInitrd({ busybox: await busyboxOf('i386') })),
    }));

    test('boots to a shell that computes, and powers off', { skip }, async () => {
      const { kernel, initrd } = value!;
      await using viv = runViv([
        ...['--kernel', kernel, '--initrd', initrd, '--memory', '256M'],
        ...['--cmdline', 'console=ttyS0 quiet mitigations=off'],
      ]);
      await viv.expect('vivarium:~# ', PATIENCE_SECONDS);
      const system = await viv.run('uname -sm');
      assert.match(system.text, /^Linux i686$/m);
      const sum = await viv.run(
        'seq 1 20000 | awk \'{ s += $1 / 8 } END { printf "%.3f\\n", s }\'',
      );
      assert.equal(sum.text, '25001250.000\n');
      const digest = await viv.run('head -c 300000 /dev/zero | gzip | gunzip | sha256sum');
      const expected = createHash('sha256').update(new Uint8Array(300_000)).digest('hex');
      assert.equal(digest.text, `${expected}  -\n`);
      const threads = await viv.run('for i in 1 2 3 4 5; do (echo $i | sed s/$/0/) & done; wait');
      assert.deepEqual(
        threads.text
          .trim()
          .split('\n')
          .filter((l) => /^\d0$/.test(l))
          .sort(),
        ['10', '20', '30', '40', '50'],
      );
      viv.type('poweroff\n');
      const { code, errors } = await viv.ended;
      assert.equal(code, 0, errors);
    });
  });
}
