import { test } from 'node:test';
import { round } from './round.ts';

test('the hub of a guest’s sockets outlives whatever the guest sends', () => {
  for (let seed = 1; seed <= 8; seed++) round(seed);
});
