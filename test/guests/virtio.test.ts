/** What virtio gives the default guest besides disks: a console, random numbers, and a way to give memory back. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Workplace } from './images.ts';
import { runViv } from './session.ts';

test('a guest on a virtio console has random numbers and gives memory back', {
  timeout: 300_000,
}, async () => {
  using place = new Workplace();
  const disk = place.file('disk.img', new Uint8Array(2 ** 20));
  const statsFile = join(place.path, 'stats.json');
  const files = ['--disk', disk, '--stats', statsFile];
  await using guest = runViv(['--console', 'virtio', ...files, '--timeout', '280']);
  await guest.expect('vivarium:~# ');
  assert.equal((await guest.run('tty')).text, '/dev/hvc0\n');
  const { text } = await guest.run(
    'cat /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=32 count=1 2>/dev/null | sha256sum',
  );
  assert.match(text, /^virtio_rng\.0\n/);
  const zeroes = '66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925';
  assert.ok(!text.includes(zeroes));
  // 100 MiB are used and given up; the guest tells some seconds later, a block of 2 MiB at a time.
  await guest.run(
    'dd if=/dev/zero of=/tmp/large bs=1M count=100 2>/dev/null; rm /tmp/large; sleep 6',
  );
  // Whatever is free is not read any more: the guest's memory must still be sound.
  assert.equal(
    (await guest.run('dd if=/bin/busybox of=/tmp/copy 2>/dev/null; cmp /bin/busybox /tmp/copy'))
      .status,
    0,
  );
  guest.type('poweroff\n');
  const { code } = await guest.ended;
  assert.equal(code, 0, guest.errors);
  const { devices, framesTouched, framesInUse } = JSON.parse(readFileSync(statsFile, 'utf8'));
  const { reported } = devices['virtio-balloon-0'];
  assert.ok(reported > 15_000, `${reported} pages came back`);
  assert.ok(framesInUse < framesTouched - 10_000, `${framesInUse} of ${framesTouched}`);
});
