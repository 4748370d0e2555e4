import type { Persistent } from '../state/mod.ts';

/** Width of one bus access in bytes. Wider guest accesses are split by the bus. */
export type AccessSize = 1 | 2 | 4;

/**
 * A range of registers on a bus. Sees offsets into its own range only, never its address,
 * the processor or another device.
 */
export interface RegisterBank {
  /** Value at `offset`, unsigned, `size` bytes. Unclaimed registers read as all ones. */
  read(offset: number, size: AccessSize): number;
  /** Writes unsigned `value` of `size` bytes at `offset`. Unclaimed registers ignore writes. */
  write(offset: number, size: AccessSize, value: number): void;
}

/** A device model: registers, reset state and a section of the snapshot. */
export interface Device extends Persistent {
  readonly name: string;
  /** Returns to the power-on state. */
  reset(): void;
}
