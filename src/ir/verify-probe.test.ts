import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Builder, problemsOf } from './mod.ts';

function problems(describe: (b: Builder) => void): readonly string[] {
  const b = new Builder();
  describe(b);
  return problemsOf(b.finish());
}

test('verify: a store behind another is valid once a probe has looked at its place', () => {
  const found = problems((b) => {
    b.loadForUpdate(b.i64(0x1008), 64);
    b.store(b.i64(0x1000), 64, b.i64(1));
    b.store(b.i64(0x1008), 64, b.i64(1));
  });
  assert.deepEqual(found, []);
});

test('verify: a probe excuses no load and no later probe, and a completed update is no probe', () => {
  const twoStores = (b: Builder) => {
    b.store(b.i64(0x1000), 64, b.i64(1));
    b.store(b.i64(0x1008), 64, b.i64(1));
  };
  const late = problems((b) => {
    twoStores(b);
    b.loadForUpdate(b.i64(0x1008), 64);
  });
  assert.equal(late.length, 2);
  const completed = problems((b) => {
    const loaded = b.loadForUpdate(b.i64(0x1008), 64);
    twoStores(b);
    b.storeBack(loaded, b.i64(2));
  });
  assert.equal(completed.length, 1);
});
