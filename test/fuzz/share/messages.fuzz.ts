/** A hostile guest of a shared folder: `npm run fuzz share -- --seconds 60 --seed 7`. */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { hostileRound } from './rounds.ts';

await fuzzRounds('messages', hostileRound);
