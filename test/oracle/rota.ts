/** What a long run of the oracle does in turn, so that every engine and mode gets its share. */
import type { EngineName } from './engine-processor.ts';

export interface Turn {
  readonly engine: EngineName;
  readonly bits: 32 | 64;
  /** random bytes instead of instructions made from the forms */
  readonly raw: boolean;
  readonly cases: number;
}

export const ROTA: readonly Turn[] = [
  { engine: 'handlers', bits: 64, raw: false, cases: 24_000 },
  { engine: 'regions', bits: 64, raw: false, cases: 4000 },
  { engine: 'handlers', bits: 32, raw: false, cases: 12_000 },
  { engine: 'handlers', bits: 64, raw: true, cases: 12_000 },
  { engine: 'reference', bits: 64, raw: false, cases: 4000 },
  { engine: 'handlers', bits: 32, raw: true, cases: 8000 },
  { engine: 'regions', bits: 64, raw: true, cases: 2000 },
  { engine: 'reference', bits: 32, raw: false, cases: 2000 },
];

/** One turn to take: cases 0 to `cases` of `seed`. */
export interface Errand extends Turn {
  readonly seed: number;
}

/** How an errand ended; each difference as text. */
export interface Report {
  readonly errand: Errand;
  readonly different: number;
  /** cases that differed until the host was asked again */
  readonly unsteady: number;
  readonly failures: readonly string[];
}

/** The command that repeats an errand. */
export function command({ engine, bits, raw, cases, seed }: Errand): string {
  const options = `--engine ${engine} --bits ${bits}${raw ? ' --raw' : ''} --cases ${cases}`;
  return `node test/oracle/fuzz.ts ${options} --seed ${seed}`;
}
