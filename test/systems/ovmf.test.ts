/** OVMF by itself: its shell on the serial line, variables that live through a reset, power-off. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runViv } from '../guests/session.ts';
import { filesOf, orSkip } from './packages.ts';

const PATIENCE_SECONDS = 400;

describe('OVMF', { timeout: 1_200_000 }, async () => {
  const { skip } = await orSkip(() => filesOf('ovmf', /^usr\/share\/OVMF\//));

  test('keeps variables in its flash when the machine is reset', { skip }, async () => {
    await using viv = runViv(['--firmware', 'ovmf', '--memory', '128M']);
    await viv.expect('Shell> ', PATIENCE_SECONDS);
    viv.type('set vivarium alive\r');
    await viv.expect('Shell> ');
    viv.type('reset -c\r');
    await viv.expect(/Press .*ESC/, PATIENCE_SECONDS);
    await viv.expect('Shell> ', PATIENCE_SECONDS);
    viv.type('set\r');
    await viv.expect(/vivarium .*= .*alive/);
    viv.type('reset -s\r');
    const { code, errors } = await viv.ended;
    assert.equal(code, 0, errors);
  });

  test('says how much memory it needs', { skip }, async () => {
    await using viv = runViv(['--firmware', 'ovmf', '--memory', '64M']);
    const { code, errors } = await viv.ended;
    assert.equal(code, 1);
    assert.match(errors, /needs at least 96 MiB of memory/);
  });
});
