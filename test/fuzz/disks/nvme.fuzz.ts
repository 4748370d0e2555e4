/** `npm run fuzz nvme -- --seconds 60 --seed 7` */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { nvmeRound } from './nvme-round.ts';
import { seeded } from './rounds.ts';

await fuzzRounds('steps', seeded(nvmeRound));
