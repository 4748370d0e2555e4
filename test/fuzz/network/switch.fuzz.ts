/** `npm run fuzz switch -- --seconds 60 --seed 7` */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { round } from './switch-round.ts';

await fuzzRounds('messages', round);
