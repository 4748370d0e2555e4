/** The default guest as somebody at a terminal meets it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Drift } from '../drift.ts';
import type { DefaultGuest } from './guest.ts';

export function testTerminal(guest: DefaultGuest): void {
  let drift: Drift;
  /** memory that the guest used when it printed its prompt, in MiB of the host's */
  let residentAtPrompt: number;

  before(async () => {
    drift = await Drift.begin(guest.viv);
    residentAtPrompt = guest.residentMebibytes();
  });

  test('runs an unmodified Debian kernel', async () => {
    const { text } = await guest.viv.run('uname -a');
    assert.match(
      text,
      /^Linux vivarium 6\.\d+\.\d+-\d+-cloud-amd64 #1 SMP .* x86_64 GNU\/Linux\n$/,
    );
  });

  test('shows one processor named Vivarium', async () => {
    const { text } = await guest.viv.run('cat /proc/cpuinfo');
    assert.match(text, /^model name\s*:.*Vivarium/m);
    assert.equal(text.match(/^processor\s*:/gm)?.length, 1);
    assert.match(text, /^flags\s*:.*\bfpu\b.*\bcx16\b.*\bsse4_2\b/m);
  });

  test('has the file system of its RAM disk', async () => {
    const { text, status } = await guest.viv.run('ls -l /');
    assert.equal(status, 0);
    for (const name of ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp']) {
      assert.match(text, new RegExp(`^d.* ${name}$`, 'm'));
    }
    assert.match(text, /^l.* init -> bin\/busybox$/m);
  });

  test('connects programs by pipes and passes their exit codes on', async () => {
    const { viv } = guest;
    const sum = await viv.run("seq 1 2000 | awk '{ s += $1 } END { print s }'");
    assert.equal(sum.text, '2001000\n');
    const sorted = await viv.run('seq 1 9 | sort -r | tr -d "\\n" | sed s/9/nine/');
    assert.equal(sorted.text, 'nine87654321');
    assert.equal((await viv.run('yes | head -n 20000 | wc -l')).text, '20000\n');
    assert.equal((await viv.run('false')).status, 1);
    assert.equal((await viv.run('sh -c "kill -SEGV \\$\\$"')).status, 139);
  });

  test('computes what the host computes', async () => {
    const hash = 'seq 1 5000 | sha256sum';
    const expected = spawnSync('sh', ['-c', hash]).stdout.toString();
    assert.equal((await guest.viv.run(hash)).text, expected);
    const packed = await guest.viv.run('seq 1 5000 | gzip -9 | gunzip | sha256sum');
    assert.equal(packed.text, expected);
  });

  test('edits a file with vi', async () => {
    const { viv } = guest;
    viv.type('vi /tmp/letter\n');
    await viv.expect(/- \/tmp\/letter/);
    viv.type('iDear guest,');
    await viv.expect('Dear guest,');
    viv.type('\rwelcome.');
    await viv.expect('welcome.');
    // Escape on its own is told from the start of a longer key by what follows, or does not.
    viv.type('\x1b');
    await sleep(500);
    viv.type(':wq\r');
    assert.equal((await viv.run('cat /tmp/letter')).text, 'Dear guest,\nwelcome.\n');
  });

  test('interrupts a program on Ctrl-C', async () => {
    const { viv } = guest;
    viv.type('sleep 100; echo status $?\n');
    await viv.expect('sleep 100');
    await sleep(1000);
    const before = performance.now();
    viv.type('\x03');
    await viv.expect(/vivarium:~# /, 20);
    assert.ok(performance.now() - before < 20_000);
    const busy = 'while :; do :; done';
    viv.type(`${busy}\n`);
    await viv.expect(busy);
    await sleep(500);
    viv.type('\x03');
    await viv.expect(/vivarium:~# /, 20);
    assert.equal((await viv.run('echo alive')).text, 'alive\n');
  });

  test('sleeps five seconds in five seconds', async () => {
    const { viv } = guest;
    viv.send('sleep 5');
    await viv.expect(/@begin\d+@/);
    const before = performance.now();
    await viv.expect(/@end\d+@0@/);
    const seconds = (performance.now() - before) / 1000;
    assert.ok(seconds > 4.8 && seconds < 6, `sleep 5 took ${seconds} s`);
  });

  test('costs the host about the memory it touches', async () => {
    const megabytes = 80;
    const room = await guest.viv.run(
      `mount -t tmpfs tmpfs /mnt && dd if=/dev/zero of=/mnt/filled bs=1M count=${megabytes}`,
    );
    assert.equal(room.status, 0);
    const grown = guest.residentMebibytes() - residentAtPrompt;
    assert.ok(grown > 0.9 * megabytes && grown < 1.6 * megabytes, `grew by ${grown} MiB`);
    await guest.viv.run('umount /mnt');
  });

  test("agrees with the host's clock within one per cent", async () => {
    const { seconds, parts } = await drift.end(guest.viv);
    assert.ok(seconds > 5);
    assert.ok(Math.abs(parts) < 0.01, `over ${seconds} s the guest's clock was off by ${parts}`);
  });
}
