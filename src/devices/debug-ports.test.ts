import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debugConsoleBank, debugExitBank, PostCode } from './debug-ports.ts';

test('debug exit: a write of N ends with (N << 1) | 1', () => {
  const codes: number[] = [];
  const bank = debugExitBank((code) => codes.push(code));
  bank.write(0, 1, 0x10);
  bank.write(0, 4, 0);
  assert.deepEqual(codes, [0x21, 1]);
});

test('debug console: bytes are handed on in order, and it can be found', () => {
  let text = '';
  const bank = debugConsoleBank((byte) => {
    text += String.fromCharCode(byte);
  });
  for (const letter of 'hi') bank.write(0, 1, letter.charCodeAt(0));
  assert.equal(text, 'hi');
  assert.equal(bank.read(0, 1), 0xe9);
});

test('POST code: the last code can be read', () => {
  const { registers } = new PostCode();
  registers.write(0, 1, 0x42);
  assert.equal(registers.read(0, 1), 0x42);
});
