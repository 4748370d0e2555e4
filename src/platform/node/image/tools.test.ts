import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonAmong, runTool } from './tools.ts';

test('of several errors the first one says why', () => {
  const lines = [
    'I: running apt-get update...',
    "E: The repository 'http://a.example none Release' does not have   a Release file.",
    'E: apt-get update failed',
    'E: mmdebstrap failed to run',
  ];
  const reason = "The repository 'http://a.example none Release' does not have a Release file.";
  assert.equal(reasonAmong(lines), reason);
  assert.equal(reasonAmong(['tar: no room', 'tar: cannot write', 'bye']), 'tar: cannot write');
  assert.equal(reasonAmong(['bye']), 'bye');
  assert.equal(reasonAmong([]), undefined);
});

test('a program that is given up ends with all that it started, and may put away its things', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
  const [begun, ended] = [join(directory, 'begun'), join(directory, 'ended')];
  const abort = new AbortController();
  const script = `trap 'touch ${ended}; exit 1' TERM; touch ${begun}; sleep 600 & wait`;
  const run = runTool(['sh', '-c', script], 'a tool', { signal: abort.signal });
  while (!existsSync(begun)) await sleep(10);
  abort.abort(new Error('enough'));
  await assert.rejects(run, { message: 'enough' });
  assert.ok(existsSync(ended));
  rmSync(directory, { recursive: true });
});
