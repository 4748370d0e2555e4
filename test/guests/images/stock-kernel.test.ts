import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildInitrd } from '../../../src/guest/mod.ts';
import { E820, type LoadOptions, loadKernel, unpackKernel } from '../../../src/machine/mod.ts';
import { busybox, stockBzImage, stockElf } from '../images.ts';

const MIB = 2 ** 20;

/** A machine that only counts what is written to it. */
function countingOptions(initrd: Uint8Array): { options: LoadOptions; written: () => number } {
  let written = 0;
  const options: LoadOptions = {
    initrd,
    cmdline: 'console=ttyS0',
    memoryBytes: 256 * MIB,
    memoryMap: [
      { gpa: 0, bytes: 0x9fc00, type: E820.ram },
      { gpa: MIB, bytes: 255 * MIB, type: E820.ram },
    ],
    write: (_gpa, bytes) => {
      written += bytes.length;
    },
  };
  return { options, written: () => written };
}

test("the payload of Debian's bzImage is the ELF kernel that boots by PVH", async () => {
  const elf = await unpackKernel(await stockBzImage());
  assert.deepEqual(Buffer.compare(elf, await stockElf()), 0);
  const { options, written } = countingOptions(buildInitrd({ busybox: await busybox() }));
  const state = loadKernel(elf, options);
  assert.equal(state.protocol, 'pvh');
  assert.ok(state.entry >= 16 * MIB && state.entry < 17 * MIB);
  assert.ok(written() < 40 * MIB, `${written()} bytes: zero pages cost nothing`);
});

test("Debian's bzImage itself boots by the 64-bit protocol", async () => {
  const { options } = countingOptions(new Uint8Array(5000).fill(1));
  const state = loadKernel(await stockBzImage(), options);
  assert.equal(state.protocol, 'linux64');
  assert.equal(state.entry, 16 * MIB + 0x200);
});

test('a stock kernel that is cut anywhere is refused with one sentence', async () => {
  const { options } = countingOptions(new Uint8Array(1));
  for (const image of [await stockBzImage(), await stockElf()]) {
    for (const share of [0.01, 0.5, 0.9]) {
      const cut = image.subarray(0, Math.floor(image.length * share));
      assert.throws(() => loadKernel(cut, options), { code: 'kernel-truncated' });
    }
  }
});
