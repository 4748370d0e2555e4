import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESET_VALUE, ResetControl } from './reset-control.ts';

function setup() {
  let resets = 0;
  const control = new ResetControl({ onReset: () => resets++ });
  return { control, resets: () => resets };
}

test('reset control: port 0xcf9 resets on bit 2 alone', () => {
  const { control, resets } = setup();
  control.portCf9.write(0, 1, 0x02);
  assert.equal(resets(), 0);
  assert.equal(control.portCf9.read(0, 1), 0x02);
  control.portCf9.write(0, 1, RESET_VALUE);
  assert.equal(resets(), 1);
});

test('reset control: port 0x92 resets on a rising bit 0 and keeps the A20 bit', () => {
  const { control, resets } = setup();
  assert.equal(control.port92.read(0, 1), 0x02);
  control.port92.write(0, 1, 0x00);
  assert.equal(control.port92.read(0, 1), 0x00);
  control.port92.write(0, 1, 0x03);
  control.port92.write(0, 1, 0x03);
  assert.equal(resets(), 1);
});
