import { test } from 'node:test';
import { hostileRound } from './rounds.ts';

test('a hostile guest of a shared folder harms neither server nor host', async () => {
  for (let seed = 1; seed <= 6; seed++) await hostileRound(seed);
});
