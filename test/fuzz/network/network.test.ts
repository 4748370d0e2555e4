import { test } from 'node:test';
import { round as cardRound } from './card-round.ts';
import { round } from './round.ts';
import { round as switchRound } from './switch-round.ts';

for (let seed = 1; seed <= 10; seed++) {
  test(`the user-mode network stands hostile frames, seed ${seed}`, async () => {
    await round(seed);
  });
  test(`the network card stands a hostile driver, seed ${seed}`, () => {
    cardRound(seed);
  });
  test(`a port of a switch stands hostile peers, seed ${seed}`, () => {
    switchRound(seed);
  });
}

// A window that was closed and opened a little made the probes of it follow each other without a pause.
test('the user-mode network stands hostile frames, seed 91', async () => {
  await round(91);
});
