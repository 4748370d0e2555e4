import type { ProcessorState } from './processor-state.ts';

/** Bytes put into data memory before the case starts. `offset` counts from DATA_ADDRESS. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** One case: code, the state it starts with (`rip` is the entry), and what memory holds. */
export interface Case {
  /** 64-bit mode, or 32-bit code in compatibility mode */
  readonly bits: 32 | 64;
  readonly codeAddress: number;
  readonly code: Uint8Array;
  readonly state: ProcessorState;
  readonly patches: readonly Patch[];
}

/** A 64-bit word of data memory that differs from the image the batch started with. */
export interface Change {
  readonly offset: number;
  readonly value: bigint;
}

/** The case jumped to EXIT_ADDRESS. */
export const ENDED = -1;
/** The case did not end in time. */
export const TIMED_OUT = -2;

/** How a case ended. */
export interface Outcome {
  /** ENDED, TIMED_OUT or the vector of the exception that ended it */
  readonly vector: number;
  readonly errorCode: number;
  /** CR2: meaningful after a page fault */
  readonly faultAddress: bigint;
  readonly state: ProcessorState;
  readonly changes: readonly Change[];
}
