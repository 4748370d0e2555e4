/** `npm run fuzz virtqueue -- --seconds 60 --seed 7` */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { seeded } from './rounds.ts';
import { virtqueueRound } from './virtqueue-round.ts';

await fuzzRounds('steps', seeded(virtqueueRound));
