/** Machines that start from firmware: the modes of the processor, and SeaBIOS with disks. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Workplace } from './images.ts';
import { assemble, cannotAssemble } from './kernels/assemble.ts';
import { engineArguments, runViv } from './session.ts';

describe('an image of 64 KiB as firmware', { timeout: 600_000, skip: cannotAssemble }, () => {
  const place = new Workplace();
  let image: string;

  before(() => {
    image = assemble('modes', place.path);
  });
  after(() => place[Symbol.dispose]());

  // The image ends with the number of the step that went wrong, or 0x55.
  for (const engine of ['interp', 'reference', 'bt', 'eager']) {
    test(`walks through all modes of the processor with the engine ${engine}`, async () => {
      const options = ['--firmware', image, '--memory', '64M', '--debug-exit'];
      await using viv = runViv([...options, ...engineArguments(engine)]);
      const { code } = await viv.ended;
      assert.equal(code, (0x55 << 1) | 1);
    });
  }

  test('may not come with a kernel', async () => {
    await using viv = runViv(['--firmware', image, '--kernel', image]);
    const { code, errors } = await viv.ended;
    assert.equal(code, 1);
    assert.match(errors, /from firmware or from a kernel/);
  });
});

describe('SeaBIOS', { timeout: 600_000, skip: cannotAssemble }, () => {
  const place = new Workplace();
  let disk: string;

  before(() => {
    disk = assemble('boot-sector', place.path);
  });
  after(() => place[Symbol.dispose]());

  for (const bus of ['ide', 'virtio']) {
    test(`starts the boot sector of a disk on the bus ${bus}, and shows its screen`, async () => {
      await using viv = runViv([
        ...['--firmware', 'seabios', '--disk', `${disk},bus=${bus},format=raw,readonly`],
        ...['--debug-exit', '--console', 'vga', '--timeout', '300'],
      ]);
      const { code, output, errors } = await viv.ended;
      assert.equal(code, (0x2a << 1) | 1, errors);
      assert.match(output, /SeaBIOS/, 'the serial line shows the screen as it goes');
      assert.match(errors, /^second sector$/m);
    });
  }
});
