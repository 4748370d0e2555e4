/** MXCSR: exception flags, masks, rounding, denormal handling. SDM Vol. 1, 10.2.3. */

export const MXCSR_IE = 1 << 0; // invalid operation
export const MXCSR_DE = 1 << 1; // denormal operand
export const MXCSR_ZE = 1 << 2; // divide by zero
export const MXCSR_OE = 1 << 3; // overflow
export const MXCSR_UE = 1 << 4; // underflow
export const MXCSR_PE = 1 << 5; // inexact
export const MXCSR_DAZ = 1 << 6; // denormal operands count as zero
/** The mask of an exception is its flag shifted by this. */
export const MXCSR_MASK_SHIFT = 7;
export const MXCSR_PM = MXCSR_PE << MXCSR_MASK_SHIFT;
export const MXCSR_RC_SHIFT = 13;
export const MXCSR_RC = 3 << MXCSR_RC_SHIFT;
export const MXCSR_FZ = 1 << 15; // tiny results are flushed to zero while underflow is masked

/** Exceptions found by looking at operands alone; an unmasked one hides the others. SDM Vol. 1, 11.5.2.1. */
export const PRE_COMPUTATION = MXCSR_IE | MXCSR_DE | MXCSR_ZE;

export const ROUND_NEAREST = 0;
export const ROUND_DOWN = 1;
export const ROUND_UP = 2;
export const ROUND_ZERO = 3;

/** What an operation needs of MXCSR, and the exceptions it raises. */
export class FloatEnvironment {
  readonly #mxcsr: number;
  /** ROUND_NEAREST, ROUND_DOWN, ROUND_UP or ROUND_ZERO */
  rounding: number;
  /** exceptions raised so far, MXCSR flag bits */
  flags = 0;

  constructor(mxcsr: number) {
    this.#mxcsr = mxcsr;
    this.rounding = (mxcsr >> MXCSR_RC_SHIFT) & 3;
  }

  get denormalsAreZero(): boolean {
    return (this.#mxcsr & MXCSR_DAZ) !== 0;
  }

  /** Flushing happens only while underflow is masked. */
  get flushesToZero(): boolean {
    return (this.#mxcsr & MXCSR_FZ) !== 0 && this.masked(MXCSR_UE);
  }

  masked(flag: number): boolean {
    return ((this.#mxcsr >> MXCSR_MASK_SHIFT) & flag) !== 0;
  }

  raise(flags: number): void {
    this.flags |= flags;
  }

  /** Raised exceptions that are not masked; those of operands alone when there are any. */
  get unmasked(): number {
    const open = this.flags & ~(this.#mxcsr >> MXCSR_MASK_SHIFT);
    return (open & PRE_COMPUTATION) !== 0 ? open & PRE_COMPUTATION : open;
  }

  /** Flags this operation sets in MXCSR. */
  get reported(): number {
    const hidden = (this.unmasked & PRE_COMPUTATION) !== 0 ? ~PRE_COMPUTATION : 0;
    return this.flags & ~hidden;
  }
}
