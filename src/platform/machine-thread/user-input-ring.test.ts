import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UserInput } from '../../machine/config.ts';
import { ControlBlock, KEYS_BYTES } from './control-block.ts';
import { readInputs, writeInputs } from './user-input-ring.ts';

const inputs: readonly UserInput[] = [
  { kind: 'key', codes: [0x1c] },
  { kind: 'mouse', dx: -255, dy: 200, wheel: -7, buttons: 5 },
  { kind: 'key', codes: [0xe0, 0xf0, 0x75] },
];

test('keys and mouse come out of the ring in order, as far as they are taken', () => {
  const { keys } = new ControlBlock();
  assert.equal(writeInputs(keys, inputs, KEYS_BYTES), true);
  const seen: UserInput[] = [];
  const takeTwo = (input: UserInput) => seen.length < 2 && seen.push(input) > 0;
  assert.equal(readInputs(keys, takeTwo), true);
  assert.equal(readInputs(keys, takeTwo), false);
  assert.deepEqual(seen, inputs.slice(0, 2));
  assert.equal(
    readInputs(keys, (input) => seen.push(input) > 0),
    true,
  );
  assert.deepEqual(seen, inputs);
  assert.equal(keys.length, 0);
});

test('inputs that do not fit are not written in part', () => {
  const { keys } = new ControlBlock();
  const many = Array.from({ length: KEYS_BYTES / 3 }, () => inputs[0] as UserInput);
  assert.equal(writeInputs(keys, many, KEYS_BYTES), true);
  const before = keys.length;
  assert.equal(writeInputs(keys, [inputs[1] as UserInput], KEYS_BYTES), false);
  assert.equal(keys.length, before);
});
