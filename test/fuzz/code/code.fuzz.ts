/** Random bytes as code in every mode: `npm run fuzz -- code --seconds 3600`. One case: show.ts. */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { CodeRounds } from './rounds.ts';

const rounds = new CodeRounds();
try {
  await fuzzRounds('pieces of random code', (seed) => rounds.run(seed));
} finally {
  rounds.close();
}
