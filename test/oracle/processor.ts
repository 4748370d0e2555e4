import type { Case, Outcome } from './case.ts';

/** Something that executes cases: the host's processor, or one of our engines. */
export interface Processor {
  readonly name: string;
  /** Runs `cases` in order; each starts from the data image `data` plus its patches. */
  run(cases: readonly Case[], data: Uint8Array): Outcome[];
}
