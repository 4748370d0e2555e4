import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Outcome, SpawnedViv, spawnViv, Workplace } from '../spawn-viv.fixture.ts';
import { formatAge } from './ls.ts';
import { formatTable } from './table.ts';

const hasPseudoTerminals = spawnSync('script', ['--version']).status === 0;

describe('machines in the background', { timeout: 300_000 }, () => {
  const place = new Workplace();
  const stateBefore = process.env['XDG_STATE_HOME'];

  before(() => {
    process.env['XDG_STATE_HOME'] = join(place.path, 'state');
  });
  after(async () => {
    await viv('rm', '--force', 'job', 'second');
    if (stateBefore === undefined) delete process.env['XDG_STATE_HOME'];
    else process.env['XDG_STATE_HOME'] = stateBefore;
    place[Symbol.dispose]();
  });

  function viv(...arguments_: string[]): Promise<Outcome> {
    return spawnViv(...arguments_).ended;
  }

  test('a machine goes on when the command and the terminal that started it are gone', async () => {
    const started = await viv('run', '-d', '--name', 'job', '--kernel', place.kernel);
    assert.deepEqual(started, { code: 0, stdout: 'job\n', stderr: '' });
    if (hasPseudoTerminals) {
      // The terminal's end is a hang-up for everything that was started on it.
      const command = `'${process.execPath}' '${fakeViv}' run -d --name second --kernel '${place.kernel}'`;
      const { stdout } = await new SpawnedViv('script', ['-qec', command, '/dev/null']).ended;
      assert.match(stdout, /second/);
    }
    const { stdout } = await viv('ls', '-q');
    assert.deepEqual(
      stdout.split('\n').sort(),
      hasPseudoTerminals ? ['', 'job', 'second'] : ['', 'job'],
    );
  });

  test('a second machine of a name is refused, and so is one that cannot be', async () => {
    const twin = await viv('run', '--name', 'job', '--kernel', place.kernel);
    assert.deepEqual([twin.code, twin.stdout], [1, '']);
    assert.equal(twin.stderr, 'viv: a machine with the name "job" runs already\n');
    const none = await viv('run', '-d', '--kernel', join(place.path, 'none'));
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.match(none.stderr, /^viv: cannot read the kernel .*\n$/);
  });

  test('its console can be used, let go of, and read later', async () => {
    const attached = spawnViv('attach', 'job');
    // The prompt that has been waiting is shown again.
    await attached.sees('# ');
    attached.type('hello\n');
    await attached.sees('you said: hello');
    attached.process.kill('SIGTERM');
    assert.equal((await attached.ended).code, 143);
    const { stdout } = await viv('logs', 'job', '--tail', '2');
    assert.equal(stdout, '# you said: hello\r\n# ');
  });

  test('can be listed and looked into, as JSON too', async () => {
    const [table, json, inspected] = await Promise.all([
      viv('ls'),
      viv('ls', '--json'),
      viv('inspect', 'job'),
    ]);
    assert.match(table.stdout, /^NAME +STATE +STARTED +MEMORY +BOOTS\n/);
    assert.match(table.stdout, /\njob +running +\d+ seconds? ago +512M +\//);
    const [first] = JSON.parse(json.stdout);
    const { name, condition, state, stats, pid } = JSON.parse(inspected.stdout);
    assert.deepEqual([first.name, first.pid, first.condition], ['job', pid, 'running']);
    assert.deepEqual([name, condition, state], ['job', 'running', 'running']);
    assert.ok(stats.instructions > 0);
  });

  test('is stopped by its power button, keeps its log, and is forgotten when told to', async () => {
    const early = await viv('rm', 'job');
    assert.match(early.stderr, /^viv: the machine "job" runs; stop it with viv stop job/);
    const following = spawnViv('logs', '--follow', 'job');
    const stopped = await viv('stop', 'job', 'nobody');
    assert.equal(stopped.stdout, 'job\n');
    assert.equal(
      stopped.stderr,
      'viv: there is no machine "nobody"; viv ls lists those there are\n',
    );
    assert.equal(stopped.code, 1);
    assert.match((await following.ended).stdout, /you said: hello/);
    assert.match((await viv('ls')).stdout, /\njob +ended \(0\) /);
    assert.match((await viv('attach', 'job')).stderr, /does not run any more/);
    assert.match((await viv('logs', 'job')).stdout, /you said: hello/);
    assert.deepEqual(await viv('rm', 'job'), { code: 0, stdout: 'job\n', stderr: '' });
    assert.doesNotMatch((await viv('ls')).stdout, /job/);
  });
});

const fakeViv = new URL('../fake-viv.fixture.ts', import.meta.url).pathname;

test('ages are said in the largest unit', () => {
  assert.equal(formatAge(999), 'just now');
  assert.equal(formatAge(1000), '1 second ago');
  assert.equal(formatAge(7.3e6), '2 hours ago');
  assert.equal(formatAge(86400e3 * 2.5), '2 days ago');
});

test('columns of a table are as wide as what stands in them', () => {
  assert.equal(formatTable(['A', 'B'], [['long', 'x']]), 'A     B\nlong  x\n');
});
