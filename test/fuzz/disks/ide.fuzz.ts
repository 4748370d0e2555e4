/** `npm run fuzz ide -- --seconds 60 --seed 7` */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { ideRound } from './ide-round.ts';
import { seeded } from './rounds.ts';

await fuzzRounds('steps', seeded(ideRound));
