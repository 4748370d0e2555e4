import type { Case, Outcome } from './case.ts';

/**
 * Whose processor it is, where the vendors differ. Ours follow AMD's; processors of other vendors are compatible
 * with Intel's.
 */
export type Vendor = 'amd' | 'intel';

/** Something that executes cases: the host's processor, or one of our engines. */
export interface Processor {
  readonly name: string;
  readonly vendor: Vendor;
  /**
   * Runs `cases` in order; each starts from the data image `data` plus its patches. What does not end in time is
   * cut off, later with more `patience`.
   */
  run(cases: readonly Case[], data: Uint8Array, patience?: number): Outcome[];
}
