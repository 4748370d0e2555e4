import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { spawnViv } from './spawn-viv.fixture.ts';

describe('completion', { timeout: 240_000 }, () => {
  const place = mkdtempSync(join(tmpdir(), 'vivarium-completion-'));
  const stateBefore = process.env['XDG_STATE_HOME'];
  before(() => {
    process.env['XDG_STATE_HOME'] = place;
    mkdirSync(join(place, 'vivarium', 'machines', 'web'), { recursive: true });
    mkdirSync(join(place, 'vivarium', 'machines', '.new-1'));
  });
  after(() => {
    if (stateBefore === undefined) delete process.env['XDG_STATE_HOME'];
    else process.env['XDG_STATE_HOME'] = stateBefore;
    rmSync(place, { recursive: true, force: true });
  });

  /** What is suggested for the last of these words. */
  async function suggestions(...words: string[]): Promise<string[]> {
    const { stdout } = await spawnViv('complete', '--', ...words).ended;
    return stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(':'))
      .map((line) => line.split('\t')[0] as string);
  }

  test('suggests commands, options, their values, and machines', async () => {
    const [commands, options, engines, machines] = await Promise.all([
      suggestions('st'),
      suggestions('run', '--me'),
      suggestions('run', '--engine', ''),
      suggestions('logs', ''),
    ]);
    assert.deepEqual(commands, ['stop']);
    assert.deepEqual(options, ['--memory']);
    assert.ok(engines?.includes('interp'));
    assert.deepEqual(machines, ['web']);
  });

  test('prints scripts that shells can read', async () => {
    const { code, stdout } = await spawnViv('completion', 'bash').ended;
    assert.equal(code, 0);
    assert.match(stdout, /viv complete -- /);
    assert.equal(spawnSync('bash', ['-n'], { input: stdout }).status, 0);
    const wrong = await spawnViv('completion', 'tcsh').ended;
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^viv: .*bash, fish/);
  });
});
