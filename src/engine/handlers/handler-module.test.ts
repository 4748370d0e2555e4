import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FunctionWriter } from '../../wasm/mod.ts';
import type { Encoding } from '../../x86/mod.ts';
import { HandlerVariants } from './handler-module.ts';

const [one, other] = [{ id: 1 }, { id: 2 }] as readonly unknown[] as readonly [Encoding, Encoding];
const calling = (name: string) => new FunctionWriter(4).callNamed(7, name).finish();

test('handlers are alike that do the same and call the same helpers, whatever numbers those have', () => {
  const variants = new HandlerVariants();
  variants.add(one, calling('first'), 100);
  assert.equal(variants.find(one, calling('first')), 100);
  assert.equal(variants.find(one, calling('second')), undefined);
  assert.equal(variants.find(one, new FunctionWriter(4).i32Const(7).finish()), undefined);
  assert.equal(variants.find(other, calling('first')), undefined);
});
