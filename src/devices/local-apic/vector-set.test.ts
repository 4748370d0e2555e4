import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VectorSet } from './vector-set.ts';

test('VectorSet: the highest member follows additions and removals', () => {
  const set = new VectorSet();
  assert.equal(set.highest, -1);
  for (const vector of [0x31, 0xff, 0x80]) set.add(vector);
  assert.equal(set.highest, 0xff);
  set.delete(0xff);
  assert.equal(set.highest, 0x80);
  set.delete(0x31);
  set.delete(0x80);
  assert.equal(set.highest, -1);
});
