/** Addition, subtraction, multiplication, division and square root, correctly rounded. */
import type { Environment } from './environment.ts';
import { ROUND_DOWN } from './environment.ts';
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
import { FPU_ZE } from './words.ts';

/** Bits appended below the significands so that a jammed low bit never decides a rounding wrongly. */
const GUARD = 68;

function denormalStops(env: Environment, left: Operand80, right: Operand80): boolean {
  return env.denormalStops(left.denormal || right.denormal);
}

/** left + right, or left - right when `negate` is 1. */
export function add80(
  env: Environment,
  left: Operand80,
  right: Operand80,
  negate: number,
): Float80 {
  if (isNan(left) || isNan(right)) return nanResultOf(env, left, right);
  const rightSign = right.sign ^ negate;
  if (left.kind === INFINITE && right.kind === INFINITE && left.sign !== rightSign) {
    return invalid(env);
  }
  if (denormalStops(env, left, right)) return zero80(0);
  if (left.kind === INFINITE) return infinity80(left.sign);
  if (right.kind === INFINITE) return infinity80(rightSign);
  if (left.kind === ZERO && right.kind === ZERO) {
    return zero80(left.sign === rightSign ? left.sign : cancelledSign(env));
  }
  if (left.kind === ZERO) return rounded(env, rightSign, right);
  if (right.kind === ZERO) return rounded(env, left.sign, left);
  return addFinite(env, left, left.sign, right, rightSign);
}

/** The sign of an exact zero difference. */
function cancelledSign(env: Environment): number {
  return env.rounding === ROUND_DOWN ? 1 : 0;
}

function rounded(env: Environment, sign: number, value: Operand80): Float80 {
  return round80(env, sign, value.significand, value.exponent - 63, env.precision);
}

function addFinite(
  env: Environment,
  left: Operand80,
  leftSign: number,
  right: Operand80,
  rightSign: number,
): Float80 {
  const leftIsLarger =
    left.exponent > right.exponent ||
    (left.exponent === right.exponent && left.significand >= right.significand);
  const large = leftIsLarger ? left : right;
  const small = leftIsLarger ? right : left;
  const sign = leftIsLarger ? leftSign : rightSign;
  const high = large.significand << BigInt(GUARD);
  const low = shiftJamming(small.significand << BigInt(GUARD), large.exponent - small.exponent);
  const sum = leftSign === rightSign ? high + low : high - low;
  if (sum === 0n) return zero80(cancelledSign(env));
  return round80(env, sign, sum, large.exponent - 63 - GUARD, env.precision);
}

/** Shifts right; what falls out leaves a one in the lowest bit. */
function shiftJamming(value: bigint, count: number): bigint {
  if (count > 64 + GUARD) return 1n;
  const by = BigInt(count);
  const kept = value >> by;
  return kept << by === value ? kept : kept | 1n;
}

export function multiply80(env: Environment, left: Operand80, right: Operand80): Float80 {
  if (isNan(left) || isNan(right)) return nanResultOf(env, left, right);
  const sign = left.sign ^ right.sign;
  const infinite = left.kind === INFINITE || right.kind === INFINITE;
  const zero = left.kind === ZERO || right.kind === ZERO;
  if (infinite && zero) return invalid(env);
  if (denormalStops(env, left, right)) return zero80(0);
  if (infinite) return infinity80(sign);
  if (zero) return zero80(sign);
  const product = left.significand * right.significand;
  return round80(env, sign, product, left.exponent + right.exponent - 126, env.precision);
}

export function divide80(env: Environment, left: Operand80, right: Operand80): Float80 {
  if (isNan(left) || isNan(right)) return nanResultOf(env, left, right);
  const sign = left.sign ^ right.sign;
  if (left.kind === INFINITE && right.kind === INFINITE) return invalid(env);
  if (left.kind === ZERO && right.kind === ZERO) return invalid(env);
  if (right.kind === ZERO && left.kind === FINITE) {
    env.raise(FPU_ZE);
    return infinity80(sign);
  }
  if (denormalStops(env, left, right)) return zero80(0);
  if (left.kind === INFINITE || right.kind === ZERO) return infinity80(sign);
  if (left.kind === ZERO || right.kind === INFINITE) return zero80(sign);
  const dividend = left.significand << BigInt(GUARD);
  const quotient = dividend / right.significand;
  const exact = quotient * right.significand === dividend;
  return round80(
    env,
    sign,
    exact ? quotient : quotient | 1n,
    left.exponent - right.exponent - GUARD,
    env.precision,
  );
}

export function squareRoot80(env: Environment, value: Operand80): Float80 {
  if (isNan(value)) return nanResult(env, value);
  if (value.kind === ZERO) return zero80(value.sign);
  if (value.sign === 1) return invalid(env);
  if (env.denormalStops(value.denormal)) return zero80(0);
  if (value.kind === INFINITE) return pack80(value);
  // significand × 2^(exponent - 63) with an even power of two: its root has 66 or more bits.
  const odd = (value.exponent - 63) & 1;
  const radicand = value.significand << BigInt(GUARD + odd);
  const root = integerRoot(radicand);
  const exact = root * root === radicand;
  return round80(
    env,
    0,
    exact ? root : root | 1n,
    (value.exponent - 63 - odd - GUARD) / 2,
    env.precision,
  );
}

/** Largest integer whose square is at most `value`. */
export function integerRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let guess = BigInt(Math.ceil(Math.sqrt(Number(value) * 1.0000000000001))) + 1n;
  while (true) {
    const next = (guess + value / guess) >> 1n;
    if (next >= guess) return guess;
    guess = next;
  }
}
