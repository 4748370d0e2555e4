/** The default guest from the first to the last key: one machine, with everything, shared by all tests. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { testDisks, testDisksAfterReset, testImagesAfterwards } from './default-guest/disks.ts';
import { DefaultGuest, noTerminal } from './default-guest/guest.ts';
import {
  testCaptureAfterwards,
  testNetwork,
  testNetworkAfterReset,
} from './default-guest/network.ts';
import { testTerminal } from './default-guest/terminal.ts';

const MIB = 2 ** 20;

describe('the default guest', { timeout: 1_200_000, skip: noTerminal }, () => {
  const guest = new DefaultGuest();

  before(() => guest.start());
  after(() => guest[Symbol.asyncDispose]());

  describe('on a terminal', () => testTerminal(guest));
  describe('with disks that', () => testDisks(guest));
  describe('on the network', () => testNetwork(guest));

  test('gives memory back that it used, and stays sound', async () => {
    const { viv } = guest;
    // 100 MiB are used and given up; the guest tells some seconds later, a block of 2 MiB at a time.
    await viv.run(
      'dd if=/dev/zero of=/tmp/large bs=1M count=100 2>/dev/null; rm /tmp/large; sleep 6',
    );
    // Whatever is free is not read any more: the guest's memory must still be sound.
    const { status } = await viv.run(
      'dd if=/bin/busybox of=/tmp/copy 2>/dev/null; cmp /bin/busybox /tmp/copy',
    );
    assert.equal(status, 0);
  });

  describe('after a reset', () => {
    before(async () => {
      guest.viv.type('touch /tmp/mark; reboot\n');
      await guest.viv.expect('Requesting system reboot');
      await guest.viv.expect('Welcome to Linux');
      await guest.viv.expect(/vivarium:~# /);
    });

    test('has forgotten its first life', async () => {
      assert.equal((await guest.viv.run('ls /tmp')).text, '');
    });
    testDisksAfterReset(guest);
    testNetworkAfterReset(guest);
  });

  test('gives the terminal back and exits with 0 when the guest powers off', async () => {
    const { viv } = guest;
    viv.type('poweroff\n');
    const code = await viv.expect(/code (\d+)/, 60);
    assert.equal(code[1], '0', viv.output.slice(-2000));
    assert.equal((await viv.expect(/modes (\S+)/))[1], guest.modes);
    await viv.ended;
  });

  describe('when it is off', () => {
    testImagesAfterwards(guest);
    testCaptureAfterwards(guest);

    test('wrote statistics of a machine that used a part of its memory', () => {
      const stats = JSON.parse(readFileSync(guest.statsFile, 'utf8'));
      const { tiers, exits, tlb } = stats;
      assert.ok(stats.instructions > 100e6);
      const sum = tiers.reference + tiers.handlers + tiers.regions;
      assert.equal(sum, stats.instructions);
      assert.ok(exits.io > 0 && exits.mmio > 0 && exits.halt > 0);
      assert.ok(tlb.misses > 0 && tlb.flushes > 0);
      for (const name of ['hostSeconds', 'hostCpuSeconds', 'guestSeconds']) {
        assert.ok(stats[name] > 1, name);
      }
      for (const name of ['regions', 'compileSeconds', 'invalidations']) {
        assert.equal(typeof stats[name], 'number', name);
      }
      // Of both lives together; the default is 256 MiB of memory.
      const touched = (stats.framesTouched * 4096) / MIB;
      assert.ok(touched > 150 && touched < 500, `${touched} MiB`);
      const { reported } = stats.devices['virtio-balloon-0'];
      assert.ok(reported > 15_000, `${reported} pages came back`);
      assert.ok(stats.framesInUse < stats.framesTouched - 10_000, `${stats.framesInUse} in use`);
    });
  });
});
