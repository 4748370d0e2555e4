import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VolatileCode } from './volatile-code.ts';

const FRAME = 0x40_0000;

test('code that changed often is volatile, and what lies elsewhere in its page is not', () => {
  const code = new VolatileCode();
  code.changed(FRAME, 0x210);
  assert.ok(!code.isVolatile(FRAME, 0x210));
  code.changed(FRAME, 0x3ff);
  assert.ok(code.isVolatile(FRAME, 0x200));
  assert.ok(!code.isVolatile(FRAME, 0x400));
  assert.ok(!code.isVolatile(FRAME + 0x1000, 0x200));
});

test('each change asks for more heat, up to a bound', () => {
  const code = new VolatileCode();
  assert.equal(code.patience(FRAME, 0), 1);
  code.changed(FRAME, 0);
  assert.equal(code.patience(FRAME, 0), 4);
  for (let i = 0; i < 100; i++) code.changed(FRAME, 0);
  assert.equal(code.patience(FRAME, 0), 4096);
  code.clear();
  assert.equal(code.patience(FRAME, 0), 1);
});
