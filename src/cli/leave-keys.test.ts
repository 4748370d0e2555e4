import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaveKeys } from './leave-keys.ts';

/** Types the pieces one after another: what the guest got, and whether the person left. */
function typed(...pieces: string[]): { guest: string; leaves: boolean } {
  const keys = new LeaveKeys();
  let guest = '';
  let leaves = false;
  for (const piece of pieces) {
    const result = keys.filter(Buffer.from(piece, 'latin1'));
    guest += Buffer.from(result.forGuest).toString('latin1');
    leaves ||= result.leaves;
  }
  return { guest, leaves };
}

test('LeaveKeys: Ctrl-] twice leaves, also in two pieces', () => {
  assert.deepEqual(typed('ls\x1d\x1d'), { guest: 'ls', leaves: true });
  assert.deepEqual(typed('ls\x1d', '\x1d'), { guest: 'ls', leaves: true });
});

test('LeaveKeys: one Ctrl-] goes to the guest with the key after it', () => {
  assert.deepEqual(typed('\x1d'), { guest: '', leaves: false });
  assert.deepEqual(typed('\x1d', 'q'), { guest: '\x1dq', leaves: false });
});

test('LeaveKeys: ~. leaves at the start of a line only', () => {
  assert.deepEqual(typed('~.'), { guest: '', leaves: true });
  assert.deepEqual(typed('ls\r', '~', '.'), { guest: 'ls\r', leaves: true });
  assert.deepEqual(typed('ls ~.'), { guest: 'ls ~.', leaves: false });
});

test('LeaveKeys: a ~ before anything else is the guest’s', () => {
  assert.deepEqual(typed('~/bin\r'), { guest: '~/bin\r', leaves: false });
  assert.deepEqual(typed('~\r~.'), { guest: '~\r', leaves: true });
});

test('LeaveKeys: ~~ at the start of a line is one ~, and the dot after it is a dot', () => {
  assert.deepEqual(typed('~~.'), { guest: '~.', leaves: false });
});

test('LeaveKeys: a held ~ does not hide Ctrl-]', () => {
  assert.deepEqual(typed('~\x1d\x1d'), { guest: '~', leaves: true });
});
