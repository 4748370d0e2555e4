import { FPU_DE, FPU_EXCEPTIONS, FPU_IE, FPU_ZE } from './words.ts';

export const ROUND_NEAREST = 0;
export const ROUND_DOWN = 1;
export const ROUND_UP = 2;
export const ROUND_ZERO = 3;

const PRECISIONS = [24, 64, 53, 64] as const;

/** Exceptions that keep an unmasked operation from storing its result. */
const BLOCKING = FPU_IE | FPU_DE | FPU_ZE;

/** What one operation works under (control word) and what it raised (status flags). */
export class Environment {
  /** exception masks, in the places of the flags */
  readonly masks: number;
  readonly rounding: number;
  /** significand bits that add, subtract, multiply, divide and square root keep: 24, 53 or 64 */
  readonly precision: number;
  flags = 0;
  /** the last rounding was inexact */
  inexact = false;
  /** the last rounding made the magnitude larger: C1 */
  roundedUp = false;

  constructor(control: number) {
    this.masks = control & FPU_EXCEPTIONS;
    this.rounding = (control >> 10) & 3;
    this.precision = PRECISIONS[(control >> 8) & 3] as number;
  }

  raise(flags: number): void {
    this.flags |= flags;
  }

  /** True when all of `flags` are masked. */
  masked(flags: number): boolean {
    return (flags & ~this.masks) === 0;
  }

  /** Raises DE when `denormal`; true when it is unmasked, so that the operation ends here. */
  denormalStops(denormal: boolean): boolean {
    if (!denormal) return false;
    this.flags |= FPU_DE;
    return !this.masked(FPU_DE);
  }

  /** True when an unmasked exception keeps operands and stack as they were. */
  get blocked(): boolean {
    return !this.masked(this.flags & BLOCKING);
  }
}
