/** memtest86+ of Debian: memory as a program sees it that trusts nobody. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Workplace } from '../guests/images.ts';
import { runViv } from '../guests/session.ts';
import { filesOf, orSkip } from './packages.ts';

/** Most of a pass is waiting: its last test looks whether bits fade within minutes. */
const PASS_SECONDS = 900;

for (const name of ['memtest86+x64.bin', 'memtest86+ia32.bin']) {
  describe(name, { timeout: 1000 * (PASS_SECONDS + 60) }, async () => {
    const place = new Workplace();
    after(() => place[Symbol.dispose]());
    const { value, skip } = await orSkip(async () => {
      const path = `boot/${name}`;
      const image = (await filesOf('memtest86+', /^boot\/memtest86\+/)).get(path);
      assert.ok(image, `the package has no ${path}`);
      return place.file(name, image);
    });

    test('completes a pass over 16 MiB without an error', { skip }, async () => {
      await using viv = runViv([
        ...['--kernel', value!, '--memory', '16M', '--cmdline', 'console=ttyS0,115200'],
      ]);
      await viv.expect(/Pass:\s+1\s+Errors: 0 /, PASS_SECONDS);
      assert.doesNotMatch(viv.output, /Errors:\s+[1-9]|Unexpected|Exception/i);
    });
  });
}
