import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fanOut, SharedLine } from './lines.ts';
import { ProbeLine } from './test-kit.fixture.ts';

test('a shared line is asserted while any source asserts it', () => {
  const target = new ProbeLine();
  const shared = new SharedLine(target);
  const [first, second] = [shared.source(0), shared.source(31)];
  first.set(true);
  second.set(true);
  first.set(false);
  assert.equal(target.level, true);
  assert.equal(target.edges, 1);
  second.set(false);
  assert.equal(target.level, false);
});

test('a fanned-out line drives all its ends', () => {
  const ends = [new ProbeLine(), new ProbeLine()];
  fanOut(...ends).set(true);
  assert.deepEqual(
    ends.map(({ level }) => level),
    [true, true],
  );
});
