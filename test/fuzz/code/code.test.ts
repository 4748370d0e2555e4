import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodeFuzzer } from './round.ts';
import { worlds } from './worlds.ts';

const SEED = 1;
const CASES = 90;

test('random bytes in every mode do the same on handlers and regions as on the reference', () => {
  const fuzzer = new CodeFuzzer(['handlers', 'regions', 'ordered']);
  const failures: string[] = [];
  for (let number = 0; number < CASES; number++) failures.push(...fuzzer.round(SEED, number));
  assert.deepEqual(failures, []);
  const { lines, adopted } = fuzzer.again(SEED, CASES);
  assert.deepEqual(lines, []);
  assert.ok(adopted > 10, `regions of the archive are used: ${adopted}`);
  for (const { name } of worlds) {
    const ended = fuzzer.endings.get(`${name}: halt`) ?? 0;
    assert.ok(ended > CASES / worlds.length / 4, `in ${name} cases end: ${ended}`);
  }
});
