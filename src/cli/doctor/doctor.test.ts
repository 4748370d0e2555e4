import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spawnViv } from '../spawn-viv.fixture.ts';
import { checkDirectory, checkMemory, checkNode } from './checks.ts';
import { format } from './doctor.ts';

test('the doctor finds nothing here that keeps machines from running', async () => {
  const { code, stdout } = await spawnViv('doctor', '--json').ended;
  const checks = JSON.parse(stdout) as { name: string; verdict: string }[];
  assert.equal(code, 0);
  assert.deepEqual(
    checks.filter(({ verdict }) => verdict === 'bad'),
    [],
  );
  const names = checks.map(({ name }) => name);
  for (const name of ['Node', 'WebAssembly', 'memory', 'cache']) assert.ok(names.includes(name));
});

test('what is missing comes with advice', () => {
  assert.equal(checkNode('v24.0.0').verdict, 'good');
  const old = checkNode('v22.9.1');
  assert.deepEqual([old.verdict, old.advice], ['bad', 'Vivarium needs Node 24 or later']);
  assert.equal(checkMemory(2 ** 31, 2 ** 32).verdict, 'good');
  assert.match(checkMemory(2 ** 29, 2 ** 32).advice ?? '', /--memory 256M/);
  const full = checkDirectory('cache', '/proc/self/none', 'XDG_CACHE_HOME', 1e18);
  assert.match(full.advice ?? '', /set XDG_CACHE_HOME/);
  assert.equal(full.verdict, 'limited');
});

test('prints a line for each thing, and advice below', () => {
  const text = format([
    { name: 'one', verdict: 'good', found: 'fine' },
    { name: 'longer', verdict: 'limited', found: 'little', advice: 'get more' },
  ]);
  assert.equal(text, '✓ one     fine\n! longer  little\n          get more\n');
});
