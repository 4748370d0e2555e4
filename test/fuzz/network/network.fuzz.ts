/** `npm run fuzz network -- --seconds 60 --seed 7` */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { round } from './round.ts';

await fuzzRounds('frames', round);
