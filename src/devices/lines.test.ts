import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fanOut } from './lines.ts';
import { ProbeLine } from './test-kit.fixture.ts';

test('a fanned-out line drives all its ends', () => {
  const ends = [new ProbeLine(), new ProbeLine()];
  fanOut(...ends).set(true);
  assert.deepEqual(
    ends.map(({ level }) => level),
    [true, true],
  );
});
