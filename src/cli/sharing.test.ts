/** `viv run -v` and `--vsock`, with a stand-in for the board: what is said, and what is left behind. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { spawnViv, Workplace } from './spawn-viv.fixture.ts';

async function refusal(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await spawnViv('run', ...words).ended;
  assert.equal(code, 1, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /^viv: [^\n]+\n$/);
  return stderr;
}

describe('sharing with the guest', { timeout: 300_000 }, () => {
  test('folders are named on the kernel’s command line, after what the user wrote there', async () => {
    using place = new Workplace();
    const viv = spawnViv(
      ...['run', '--kernel', place.kernel, '--cmdline', 'a'],
      ...['-v', `${place.path}:/work`, '-v', `${place.kernel}:/etc/it:ro`],
    );
    viv.type('poweroff\n');
    const { code, stdout } = await viv.ended;
    const mounts = 'vivarium.mount=viv0:/work vivarium.mount=viv1:/etc/it:ro,file=kernel';
    assert.match(stdout, new RegExp(`booted with: a ${mounts}\r\n`));
    assert.equal(code, 0);
  });

  test('a share that does not exist, or makes no sense, is refused in one sentence', async () => {
    using place = new Workplace();
    const kernel = ['--kernel', place.kernel];
    assert.match(await refusal(...kernel, '-v', '/no/such:/work'), /cannot share \/no\/such: /);
    assert.match(await refusal(...kernel, '-v', '/dev/null:/work'), /neither a directory nor/);
    assert.match(await refusal(...kernel, '-v', place.path), /^viv: "\/.*": must be HOST:GUEST/);
  });

  test('the socket of --vsock is there while the machine runs, and its user’s alone', async () => {
    using place = new Workplace();
    const path = join(place.path, 'v.sock');
    const viv = spawnViv('run', '--kernel', place.kernel, '--vsock', path);
    await viv.sees('booted');
    assert.deepEqual(
      readdirSync(place.path).filter((name) => name !== 'kernel'),
      ['v.sock'],
    );
    assert.match(await refusal('--kernel', place.kernel, '--vsock', path), /such a file already/);
    viv.type('poweroff\n');
    assert.equal((await viv.ended).code, 0);
    assert.equal(existsSync(path), false);
  });

  test('a socket that a killed machine left behind is taken over; other files are not', async () => {
    using place = new Workplace();
    const path = join(place.path, 'v.sock');
    const killed = spawnViv('run', '--kernel', place.kernel, '--vsock', path);
    await killed.sees('booted');
    killed.process.kill('SIGKILL');
    await killed.ended;
    assert.equal(existsSync(path), true);
    const viv = spawnViv('run', '--kernel', place.kernel, '--vsock', path);
    viv.type('poweroff\n');
    assert.equal((await viv.ended).code, 0);
    const file = place.file('file');
    assert.match(await refusal('--kernel', place.kernel, '--vsock', file), /such a file already/);
    const tooLong = join(place.path, 'x'.repeat(100));
    assert.match(await refusal('--kernel', place.kernel, '--vsock', tooLong), /too long/);
    const nowhere = join(place.path, 'no/v.sock');
    assert.match(
      await refusal('--kernel', place.kernel, '--vsock', nowhere),
      /cannot listen on .*: there is no such directory/,
    );
  });
});
