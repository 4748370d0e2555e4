/** Sockets under a hostile guest: `npm run fuzz vsock -- --seconds 60 --seed 7`. */
import { fuzzRounds } from '../fuzz-rounds.ts';
import { round } from './round.ts';

await fuzzRounds('steps', round);
