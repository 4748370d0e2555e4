/** What the fuzzers share: rounds that a seed determines, for a time, and the seed of the round that failed. */
import { parseArgs } from 'node:util';

/**
 * Runs `round` with one seed after the other: `--seconds N` of it, from `--seed S`. `round` returns how many things it
 * tried, which `what` names.
 */
export async function fuzzRounds(
  what: string,
  round: (seed: number) => number | Promise<number>,
): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  });
  let seed = Number(values.seed);
  let tried = 0;
  const end = performance.now() + Number(values.seconds) * 1000;
  do {
    try {
      tried += await round(seed);
    } catch (error) {
      console.error(`failed with --seed ${seed}`);
      throw error;
    }
    seed = (seed + 1) >>> 0;
  } while (performance.now() < end);
  console.log(`${tried} ${what}, seeds ${values.seed} to ${seed - 1}: nothing found`);
}
