/** `npm run fuzz qcow2 -- --seconds 60 --seed 7` */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { qcow2Round } from './qcow2-round.ts';
import { seeded } from './rounds.ts';

await fuzzRounds('images', seeded(qcow2Round));
