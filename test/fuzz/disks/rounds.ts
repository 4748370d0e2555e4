/** What the fuzzers of disks and of virtio share. */
import { generator } from '../../disks/random.ts';

export type Random = (limit: number) => number;

/** A round that takes longer has met endless work; seconds of a busy host. */
const PATIENCE = 20;

/** A round that its seed determines. */
export function seeded(round: (random: Random) => number): (seed: number) => number {
  return (seed) => {
    const random = generator(Math.imul(seed + 1, 0x9e37_79b1));
    for (let warm = 0; warm < 10; warm++) random(2);
    const start = performance.now();
    const count = round(random);
    const seconds = (performance.now() - start) / 1000;
    if (seconds > PATIENCE) throw new Error(`seed ${seed} took ${seconds.toFixed(1)} seconds`);
    return count;
  };
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
