import type { Local, Value } from '../../../ir/mod.ts';
import type { Routine } from '../../routine.ts';
import { STATE } from '../../state.ts';
import { FPU_C1, FPU_ES } from '../words.ts';

/** A register's contents: the significand, and sign and exponent as the register holds them. */
export interface Number80 {
  /** i64 */
  readonly significand: Value;
  /** i32: sign in bit 15, biased exponent below */
  readonly high: Value;
}

/** A number in variables, where it comes from several ways. */
export interface Variable80 {
  readonly significand: Local;
  readonly high: Local;
}

export const INTEGER_BIT = 1n << 63n;
export const SIGN = 0x8000;
const EXPONENT = 0x7fff;

/** Control word: rounding to nearest, to 53 or 64 bits, with inexact results masked. */
const ARITHMETIC_MASK = 0x0e20;
const ARITHMETIC = 0x0220;

/** The x87 state as a routine finds it. Nothing is changed before a routine knows that it can finish. */
export class QuickFpu {
  readonly b: Routine;
  readonly control: Value;
  readonly status: Value;
  readonly #top: Value;
  readonly #valid: Value;

  constructor(b: Routine) {
    this.b = b;
    this.control = b.readFixed(STATE.fpuControl, 'i32.16u');
    this.status = b.readFixed(STATE.fpuStatus, 'i32.16u');
    this.#top = b.readFixed(STATE.fpuTop, 'i32');
    this.#valid = b.readFixed(STATE.fpuValid, 'i32');
  }

  // --- conditions, all of them i32 0 or 1

  /** No exception is pending. */
  get quiet(): Value {
    return this.b.eqz(this.b.and(this.status, this.b.i32(FPU_ES)));
  }

  /** Rounds to nearest, to 53 or 64 bits; inexact results are masked. */
  get roundsToNearest(): Value {
    const { b } = this;
    return b.eq(b.and(this.control, b.i32(ARITHMETIC_MASK)), b.i32(ARITHMETIC));
  }

  /** Precision is 64 bits rather than 53. */
  get isExtended(): Value {
    return this.b.and(this.b.shrU(this.control, this.b.i32(8)), this.b.i32(1));
  }

  /** ST(`index`) is not empty. */
  holds(index: Value): Value {
    const { b } = this;
    return b.and(b.shrU(this.#valid, this.#place(index)), b.i32(1));
  }

  /** A push has room. */
  get hasRoom(): Value {
    return this.b.eqz(this.holds(this.b.i32(7)));
  }

  // --- registers

  read(index: Value): Number80 {
    const { b } = this;
    const at = b.variable(this.#offset(index));
    return {
      significand: b.readStateAt(b.get(at), 'i64'),
      high: b.readStateAt(b.add(b.get(at), b.i32(8)), 'i32.16u'),
    };
  }

  /** Writes ST(`index`), which is not empty. */
  write(index: Value, { significand, high }: Number80): void {
    const { b } = this;
    const at = b.variable(this.#offset(index));
    b.writeStateAt(b.get(at), 'i64', significand);
    b.writeStateAt(b.add(b.get(at), b.i32(8)), 'i32.16u', high);
  }

  /** Marks ST(`index`) as not empty. */
  fill(index: Value): void {
    const { b } = this;
    const bit = b.shl(b.i32(1), this.#place(index));
    b.writeFixed(STATE.fpuValid, 'i32', b.or(this.#valid, bit));
  }

  push(value: Number80): void {
    const { b } = this;
    this.write(b.i32(7), value);
    this.fill(b.i32(7));
    b.writeFixed(STATE.fpuTop, 'i32', this.#place(b.i32(7)));
  }

  /** Pops `count` (i32: 0, 1 or 2) registers, after `fill` or not. */
  pop(count: Value): void {
    const { b } = this;
    b.if(count, () => {
      // Bits top and, for two, the one behind it, around the end of eight.
      const bits = b.shl(b.sub(b.shl(b.i32(1), count), b.i32(1)), this.#top);
      const wrapped = b.or(bits, b.shrU(bits, b.i32(8)));
      const valid = b.readFixed(STATE.fpuValid, 'i32');
      b.writeFixed(STATE.fpuValid, 'i32', b.and(valid, b.and(b.not(wrapped), b.i32(0xff))));
      b.writeFixed(STATE.fpuTop, 'i32', b.and(b.add(this.#top, count), b.i32(7)));
    });
  }

  // --- status

  /** Status word with C1 as given (i32 0 or 1), and PE when `inexact`. */
  rounded(inexact: Value, up: Value): Value {
    const { b } = this;
    const kept = b.and(this.status, b.i32(~FPU_C1 & 0xffff));
    return b.or(kept, b.or(b.shl(inexact, b.i32(5)), b.shl(up, b.i32(9))));
  }

  setStatus(status: Value): void {
    this.b.writeFixed(STATE.fpuStatus, 'i32.16u', status);
  }

  /** Clears C1: nothing was rounded. */
  clearC1(): void {
    this.setStatus(this.rounded(this.b.i32(0), this.b.i32(0)));
  }

  #place(index: Value): Value {
    return this.b.and(this.b.add(this.#top, index), this.b.i32(7));
  }

  #offset(index: Value): Value {
    const { b } = this;
    return b.add(b.shl(this.#place(index), b.i32(4)), b.i32(STATE.fpr));
  }
}

// --- what a number is

export function exponentOf(b: Routine, { high }: Number80): Value {
  return b.and(high, b.i32(EXPONENT));
}

/** Finite, not zero and not denormal; no unnormal either. */
export function isNormal(b: Routine, x: Number80): Value {
  const inRange = b.ltU(b.sub(exponentOf(b, x), b.i32(1)), b.i32(EXPONENT - 1));
  return b.and(inRange, b.ltS(x.significand, b.i64(0)));
}

export function isZero(b: Routine, x: Number80): Value {
  return b.and(b.eqz(exponentOf(b, x)), b.eqz(x.significand));
}

/** The biased exponent, i32, is one of a normal number. */
export function fits(b: Routine, exponent: Value): Value {
  return b.ltU(b.sub(exponent, b.i32(1)), b.i32(EXPONENT - 1));
}
