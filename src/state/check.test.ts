import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, integer, list, record, section, u8, u64 } from './check.ts';

const invalid = { code: 'snapshot-invalid' };

test('a record accepts its shape and returns fresh data', () => {
  const check = record({ level: u8, data: bytes(2), words: list(integer(0, 3), 1, 2) });
  const source = { level: 3, data: new Uint8Array([1, 2]), words: [3] };
  const result = check(source, 'x');
  assert.deepEqual(result, source);
  assert.notEqual(result.data, source.data);
});

test('a record rejects missing, foreign and inherited fields by their path', () => {
  const check = record({ level: u8 });
  assert.throws(() => check({}, 'x'), { ...invalid, message: /x\.level/ });
  assert.throws(() => check({ level: 1, other: 2 }, 'x'), { ...invalid, message: /x\.other/ });
  assert.throws(() => check(Object.create({ level: 1 }), 'x'), invalid);
  for (const garbage of [null, undefined, 4, 'text', []]) {
    assert.throws(() => check(garbage, 'x'), invalid);
  }
});

test('numbers outside their range, fractions and NaN are rejected', () => {
  for (const garbage of [-1, 256, 0.5, Number.NaN, '1', 1n]) {
    assert.throws(() => u8(garbage, 'x'), invalid);
  }
  for (const garbage of [-1n, 1n << 64n, 1]) assert.throws(() => u64(garbage, 'x'), invalid);
});

test('a section loads nothing when the check fails', () => {
  let loaded = 0;
  const persist = section({
    name: 'thing',
    version: 1,
    check: record({ level: u8 }),
    save: () => ({ level: loaded }),
    load: (state) => {
      loaded = state.level;
    },
  });
  persist.restore({ level: 7 });
  assert.throws(() => persist.restore({ level: 700 }), invalid);
  assert.deepEqual(persist.save(), { level: 7 });
});
