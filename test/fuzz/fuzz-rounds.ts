/** What the fuzzers share: rounds that a seed determines, for a time, and the seed of the round that failed. */
import { relative } from 'node:path';
import { readCommandLine, readNumber } from '../command-line.ts';

const helpFor = (
  what: string,
) => `Usage: node ${relative(process.cwd(), process.argv[1] ?? '')} [options]

Tries random input, ${what}, in rounds. A seed determines a round: when one fails, its seed is printed,
the exit code is 1, and --seed S --seconds 0 runs that round again.

  --seconds N   runs rounds for so long, and one at least; 20
  --seed S      seed of the first round, the next ones count up from it; by the clock
  --help        prints this help
`;

/**
 * Runs `round` with one seed after the other: `--seconds N` of it, from `--seed S`. `round` returns how many things it
 * tried, which `what` names.
 */
export async function fuzzRounds(
  what: string,
  round: (seed: number) => number | Promise<number>,
): Promise<void> {
  const { values } = readCommandLine(helpFor(what), {
    options: {
      seconds: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  });
  const seconds = readNumber(values.seconds, '--seconds');
  let seed = readNumber(values.seed, '--seed');
  let tried = 0;
  const end = performance.now() + seconds * 1000;
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
