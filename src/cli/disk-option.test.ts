import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDisk } from './disk-option.ts';

test('a disk is a file, and what follows it after commas', () => {
  assert.deepEqual(parseDisk('a.img'), { path: 'a.img' });
  assert.deepEqual(parseDisk('a.img,bus=nvme,readonly,serial=x=y'), {
    path: 'a.img',
    bus: 'nvme',
    readOnly: true,
    serial: 'x=y',
  });
  assert.deepEqual(parseDisk('a,,b.img,snapshot,format=raw'), {
    path: 'a,b.img',
    snapshot: true,
    format: 'raw',
  });
});

test('what a disk does not have is refused', () => {
  for (const text of ['', ',readonly', 'a,read', 'a,readonly=1', 'a,bus', 'a,constructor=1']) {
    assert.throws(() => parseDisk(text), { code: 'commander.invalidArgument' }, text);
  }
});
