/** `npm run fuzz card -- --seconds 60 --seed 7` */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { round } from './card-round.ts';

await fuzzRounds('requests', round);
