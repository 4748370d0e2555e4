/** FPREM, FPREM1, FSCALE and FXTRACT. */

import { fromInteger } from './convert.ts';
import { Environment } from './environment.ts';
import {
  FINITE,
  type Float80,
  INFINITE,
  infinity80,
  isNan,
  type Operand80,
  pack80,
  ZERO,
  zero80,
} from './float80.ts';
import { invalid, nanResult, nanResultOf } from './nan.ts';
import { round80 } from './rounding.ts';
import {
  CONTROL_INITIAL,
  FPU_C0,
  FPU_C1,
  FPU_C2,
  FPU_C3,
  FPU_CONDITIONS,
  FPU_ZE,
} from './words.ts';

/** A result with the condition codes that go with it. */
export interface Remainder {
  readonly value: Float80;
  readonly conditions: number;
  /** the condition codes that change: NaNs and invalid operands leave C0 and C3 alone */
  readonly changed: number;
}

/** Exponent difference from which one execution only reduces partially. */
const FULL_REDUCTION = 64;

/**
 * FPREM (quotient truncated) and FPREM1 (`nearest`, ties to even). SDM Vol. 2A. When the reduction is
 * complete C0, C3, C1 hold the quotient's low bits 2, 1, 0; else C2 is set.
 */
export function remainder80(
  env: Environment,
  left: Operand80,
  right: Operand80,
  nearest: boolean,
): Remainder {
  const done = (value: Float80, conditions = 0): Remainder => {
    return { value, conditions, changed: FPU_CONDITIONS };
  };
  if (isNan(left) || isNan(right)) return undone(nanResultOf(env, left, right));
  if (left.kind === INFINITE || right.kind === ZERO) return undone(invalid(env));
  if (env.denormalStops(left.denormal || right.denormal)) return done(zero80(0));
  if (left.kind === ZERO) return done(zero80(left.sign));
  // Tiny as it may be, the dividend is handed on without a word, unlike one that is smaller than a finite divisor.
  if (right.kind === INFINITE) return done(unchanged(new Environment(CONTROL_INITIAL), left));
  const difference = left.exponent - right.exponent;
  if (difference < -1 || (difference < 0 && !nearest)) return done(unchanged(env, left));
  if (difference >= FULL_REDUCTION) return partial(env, left, right, difference);
  // Both as integers at the scale of the smaller lowest bit.
  const common = Math.min(left.exponent, right.exponent) - 63;
  const dividend = left.significand << BigInt(Math.max(difference, 0));
  const divisor = right.significand << BigInt(Math.max(-difference, 0));
  let quotient = dividend / divisor;
  let rest = dividend - quotient * divisor;
  let sign = left.sign;
  if (nearest && roundsUp(rest, divisor, quotient)) {
    quotient += 1n;
    rest = divisor - rest;
    sign ^= 1;
  }
  const value = rest === 0n ? zero80(left.sign) : round80(env, sign, rest, common);
  return done(value, quotientBits(Number(quotient & 7n)));
}

function undone(value: Float80): Remainder {
  return { value, conditions: 0, changed: FPU_C1 | FPU_C2 };
}

function unchanged(env: Environment, value: Operand80): Float80 {
  return round80(env, value.sign, value.significand, value.exponent - 63);
}

function roundsUp(rest: bigint, divisor: bigint, quotient: bigint): boolean {
  const twice = rest * 2n;
  return twice > divisor || (twice === divisor && (quotient & 1n) === 1n);
}

function quotientBits(quotient: number): number {
  return (
    ((quotient & 4) !== 0 ? FPU_C0 : 0) |
    ((quotient & 2) !== 0 ? FPU_C3 : 0) |
    ((quotient & 1) !== 0 ? FPU_C1 : 0)
  );
}

/** Takes 32 to 63 bits off the exponent difference and sets C2. */
function partial(
  env: Environment,
  left: Operand80,
  right: Operand80,
  difference: number,
): Remainder {
  const step = (difference & 31) + 32;
  const rest = (left.significand << BigInt(step)) % right.significand;
  const scale = right.exponent - 63 + difference - step;
  const value = rest === 0n ? zero80(left.sign) : round80(env, left.sign, rest, scale);
  return { value, conditions: FPU_C2, changed: FPU_CONDITIONS };
}

/** ST(0) × 2^trunc(ST(1)). SDM Vol. 2A "FSCALE". */
export function scale80(env: Environment, value: Operand80, by: Operand80): Float80 {
  if (isNan(value) || isNan(by)) return nanResultOf(env, value, by);
  if (by.kind === INFINITE) {
    const wrong = by.sign === 1 ? value.kind === INFINITE : value.kind === ZERO;
    if (wrong) return invalid(env);
    if (env.denormalStops(value.denormal)) return zero80(0);
    return by.sign === 1 ? zero80(value.sign) : infinity80(value.sign);
  }
  if (env.denormalStops(value.denormal || by.denormal)) return zero80(0);
  if (value.kind !== FINITE) return pack80(value);
  return round80(env, value.sign, value.significand, value.exponent - 63 + truncated(by));
}

/** The integer part, cut to what moves any number out of range. */
function truncated(by: Operand80): number {
  if (by.kind === ZERO || by.exponent < 0) return 0;
  const magnitude =
    by.exponent > 16 ? 0x1_0000 : Number(by.significand >> BigInt(63 - by.exponent));
  return by.sign === 1 ? -magnitude : magnitude;
}

/** Exponent and significand of FXTRACT. */
export interface Extracted {
  readonly exponent: Float80;
  readonly significand: Float80;
}

/** FXTRACT: unbiased exponent as a number, and the significand with exponent 0. */
export function extract80(env: Environment, value: Operand80): Extracted {
  if (isNan(value)) {
    const nan = nanResult(env, value);
    return { exponent: nan, significand: nan };
  }
  if (value.kind === ZERO) {
    env.raise(FPU_ZE);
    return { exponent: infinity80(1), significand: zero80(value.sign) };
  }
  if (value.kind === INFINITE) {
    return { exponent: infinity80(0), significand: infinity80(value.sign) };
  }
  if (env.denormalStops(value.denormal)) return { exponent: zero80(0), significand: zero80(0) };
  return {
    exponent: pack80(fromInteger(BigInt(value.exponent))),
    significand: pack80({ ...value, exponent: 0 }),
  };
}
