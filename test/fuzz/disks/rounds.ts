import { parseArgs } from 'node:util';
import { generator } from '../../disks/random.ts';

export type Random = (limit: number) => number;

/**
 * Runs `round` with one seed after the other for `--seconds`, from `--seed` on. A failure tells its seed.
 * `what` names what is counted by the number that a round returns.
 */
export function fuzzRounds(what: string, round: (random: Random) => number): void {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  });
  let seed = Number(values.seed);
  let count = 0;
  const end = performance.now() + Number(values.seconds) * 1000;
  while (performance.now() < end) {
    const start = performance.now();
    try {
      const random = generator(Math.imul(seed + 1, 0x9e37_79b1));
      for (let warm = 0; warm < 10; warm++) random(2);
      count += round(random);
    } catch (error) {
      console.error(`failed with --seed ${seed}`);
      throw error;
    }
    const seconds = (performance.now() - start) / 1000;
    if (seconds > 20) throw new Error(`seed ${seed} took ${seconds.toFixed(1)} seconds`);
    seed = (seed + 1) >>> 0;
  }
  console.log(`${count} ${what}, last seed ${seed - 1}: nothing found`);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)] as T;
}

/** A number that is likely to be at some border. */
export function awkward(random: Random): number {
  switch (random(6)) {
    case 0:
      return random(4);
    case 1:
      return 2 ** random(33) - random(2);
    case 2:
      return 2 ** 32 - 1 - random(16);
    case 3:
      return random(0x1_0000);
    case 4:
      return random(2 ** 24) * 512;
    default:
      return random(2 ** 32);
  }
}

/** A write of some size, somewhere within `bytes`. */
export function writeAny(
  random: Random,
  write: (offset: number, size: 1 | 2 | 4, value: number) => void,
  bytes: number,
): void {
  const size = pick(random, [1, 2, 4] as const);
  write(random(bytes - size + 1), size, awkward(random) % 2 ** (8 * size));
}
