/**
 * F2XM1, FYL2X, FYL2XP1, FPATAN and the trigonometric instructions. SDM Vol. 1, 8.3.7 and 8.3.10.
 * Results are computed to more than a hundred bits and rounded once, by RC.
 */
import type { Environment } from './environment.ts';
import {
  fixedArc,
  fixedAtan,
  fixedExpm1,
  fixedLn2,
  fixedPi,
  fixedSineCosine,
} from './fixed-point.ts';
import {
  bitLength,
  FINITE,
  type Float80,
  INFINITE,
  INTEGER_BIT,
  infinity80,
  isNan,
  type Operand80,
  pack80,
  ZERO,
  zero80,
} from './float80.ts';
import { invalid, nanResult, nanResultOf } from './nan.ts';
import { round80 } from './rounding.ts';
import { FPU_PE, FPU_UE, FPU_ZE } from './words.ts';

/** Below 2^-TINY a function equals the first term of its series to more than 64 bits. */
const TINY = 66;
/** Fraction bits of the fixed-point work for arguments that are not tiny. */
const BITS = 256;

/** The operand's magnitude × 2^`bits`, for exponents that keep it in a sensible size. */
function toFixed(value: Operand80, bits: number): bigint {
  const shift = bits + value.exponent - 63;
  return shift >= 0 ? value.significand << BigInt(shift) : value.significand >> BigInt(-shift);
}

/** Rounds a result that is never exact. */
function roundFixed(env: Environment, sign: number, value: bigint, scale: number): Float80 {
  return round80(env, sign, (value << 2n) | 1n, scale - 2);
}

/** First term of a series, a little larger or smaller than the operand itself. */
function nearly(env: Environment, value: Operand80, sign: number, larger: boolean): Float80 {
  const extended = value.significand << 70n;
  return round80(env, sign, larger ? extended + 1n : extended - 1n, value.exponent - 63 - 70);
}

/** 2^x - 1 for -1 ≤ x ≤ 1. Outside the manual leaves the result undefined: x comes back. */
export function exp2m1(env: Environment, value: Operand80): Float80 {
  if (isNan(value)) return nanResult(env, value);
  if (value.kind === ZERO) return pack80(value);
  if (value.kind === INFINITE) return value.sign === 1 ? minusOne() : pack80(value);
  if (env.denormalStops(value.denormal)) return zero80(0);
  const { sign, exponent, significand } = value;
  if (exponent > 0 || (exponent === 0 && significand !== INTEGER_BIT)) {
    env.raise(FPU_PE);
    return pack80(value);
  }
  if (exponent === 0) {
    env.raise(FPU_PE); // exact, which processors do not notice
    return sign === 1 ? { sign, exponent: 16382, significand: INTEGER_BIT } : pack80(value);
  }
  if (exponent < -TINY) {
    return roundFixed(env, sign, significand * fixedLn2(128), exponent - 63 - 128);
  }
  const power = (toFixed(value, BITS) * fixedLn2(BITS)) >> BigInt(BITS);
  return roundFixed(env, sign, fixedExpm1(power, sign === 1, BITS), -BITS);
}

function minusOne(): Float80 {
  return { sign: 1, exponent: 16383, significand: INTEGER_BIT };
}

/** A signed fixed-point number with BITS fraction bits. */
interface Logarithm {
  readonly sign: number;
  readonly magnitude: bigint;
  /** the magnitude is not truncated */
  readonly exact: boolean;
}

/** log2 of `value` × 2^`scale`. */
function log2(value: bigint, scale: number): Logarithm {
  // value = m × 2^k with m in [0.75, 1.5): the series argument (m - 1) / (m + 1) stays below 1/5.
  const length = bitLength(value);
  const above = ((value >> BigInt(length - 2)) & 1n) === 1n ? 1 : 0; // m would be 1.5 or more
  const m = value << BigInt(BITS - length + 1 - above);
  const one = 1n << BigInt(BITS);
  const fraction = log2NearOne(m - one, m + one);
  const whole = BigInt(scale + length - 1 + above) << BigInt(BITS);
  const sum = whole + (m < one ? -fraction : fraction);
  return {
    sign: sum < 0n ? 1 : 0,
    magnitude: sum < 0n ? -sum : sum,
    exact: m === one,
  };
}

/** |log2| of 1 + d for `difference` = d and `total` = 2 + d in fixed point: 2 atanh(d / (2 + d)) / ln 2. */
function log2NearOne(difference: bigint, total: bigint): bigint {
  const shift = BigInt(BITS);
  const magnitude = difference < 0n ? -difference : difference;
  const series = fixedArc((magnitude << shift) / total, false, BITS);
  return (series << (shift + 1n)) / fixedLn2(BITS);
}

/** y × log2 x: FYL2X, `x` from ST(0) and `y` from ST(1). */
export function yLog2x(env: Environment, x: Operand80, y: Operand80): Float80 {
  if (isNan(x) || isNan(y)) return nanResultOf(env, x, y);
  if (x.sign === 1 && x.kind !== ZERO) return invalid(env);
  if (x.kind === ZERO) {
    if (y.kind === ZERO) return invalid(env);
    if (y.kind === FINITE) env.raise(FPU_ZE);
    return infinity80(y.sign ^ 1);
  }
  if (x.kind === INFINITE) {
    if (y.kind === ZERO) return invalid(env);
    if (env.denormalStops(y.denormal)) return zero80(0);
    return infinity80(y.sign);
  }
  const isOne = x.exponent === 0 && x.significand === INTEGER_BIT;
  if (y.kind === INFINITE && isOne) return invalid(env);
  if (env.denormalStops(x.denormal || y.denormal)) return zero80(0);
  const below = x.exponent < 0 ? 1 : 0;
  if (y.kind === INFINITE) return infinity80(y.sign ^ below);
  if (y.kind === ZERO || isOne) return zero80(y.sign ^ below);
  return yTimesLog2(env, y, log2(x.significand, x.exponent - 63));
}

function yTimesLog2(env: Environment, y: Operand80, logarithm: Logarithm): Float80 {
  return scaledProduct(env, y, logarithm.sign, logarithm.magnitude, -BITS, logarithm.exact);
}

function scaledProduct(
  env: Environment,
  y: Operand80,
  sign: number,
  magnitude: bigint,
  scale: number,
  exact: boolean,
): Float80 {
  const product = y.significand * magnitude;
  const total = y.exponent - 63 + scale;
  if (exact) {
    const result = round80(env, y.sign ^ sign, product, total);
    // Processors do not notice that it is exact, nor that a tiny one is.
    env.raise(result.exponent === 0 ? FPU_PE | FPU_UE : FPU_PE);
    return result;
  }
  return roundFixed(env, y.sign ^ sign, product, total);
}

/** y × log2(x + 1): FYL2XP1. */
export function yLog2xPlus1(env: Environment, x: Operand80, y: Operand80): Float80 {
  if (isNan(x) || isNan(y)) return nanResultOf(env, x, y);
  const sign = x.sign ^ y.sign;
  if (x.kind === ZERO && y.kind === INFINITE) return invalid(env);
  if (x.kind === INFINITE) {
    if (x.sign === 1 || y.kind === ZERO) return invalid(env);
    return env.denormalStops(y.denormal) ? zero80(0) : infinity80(y.sign);
  }
  if (env.denormalStops(x.denormal || y.denormal)) return zero80(0);
  if (y.kind === INFINITE) return infinity80(sign);
  if (x.kind === ZERO || y.kind === ZERO) return zero80(sign);
  if (x.exponent < -TINY) {
    const inverse = (1n << 256n) / fixedLn2(128); // 1 / ln 2 with 128 fraction bits
    return scaledProduct(env, y, x.sign, x.significand * inverse, x.exponent - 63 - 128, false);
  }
  return logarithmOfSum(env, x, y);
}

function logarithmOfSum(env: Environment, x: Operand80, y: Operand80): Float80 {
  if (x.exponent < -1) {
    const magnitude = toFixed(x, BITS);
    const difference = x.sign === 1 ? -magnitude : magnitude;
    const logarithm = log2NearOne(difference, (2n << BigInt(BITS)) + difference);
    return scaledProduct(env, y, x.sign, logarithm, -BITS, false);
  }
  // Beyond what the manual defines. Processors still give the logarithm, and x where there is none.
  if (x.sign === 1 && x.exponent >= 0) {
    env.raise(FPU_PE);
    return pack80(x);
  }
  if (x.exponent > 130) return yTimesLog2(env, y, log2(x.significand, x.exponent - 63));
  const magnitude = x.significand << BigInt(x.exponent + 1); // × 2^-64
  const sum = (1n << 64n) + (x.sign === 1 ? -magnitude : magnitude);
  return yTimesLog2(env, y, log2(sum, -64));
}

/** `quarters` × pi/4 as an inexact result: FPATAN's angles at and near the axes and diagonals. */
function piFraction(env: Environment, sign: number, quarters: number): Float80 {
  return roundFixed(env, sign, fixedPi(BITS) * BigInt(quarters), -BITS - 2);
}

/** atan2(y, x): FPATAN, `x` from ST(0) and `y` from ST(1). SDM Vol. 2A, table 3-28. */
export function arcTangent(env: Environment, x: Operand80, y: Operand80): Float80 {
  if (isNan(x) || isNan(y)) return nanResultOf(env, x, y);
  if (env.denormalStops(x.denormal || y.denormal)) return zero80(0);
  const { sign } = y;
  if (y.kind === INFINITE) {
    if (x.kind !== INFINITE) return piFraction(env, sign, 2);
    return piFraction(env, sign, x.sign === 1 ? 3 : 1);
  }
  if (y.kind === ZERO || x.kind === INFINITE) {
    return x.sign === 1 ? piFraction(env, sign, 4) : zero80(sign);
  }
  if (x.kind === ZERO) return piFraction(env, sign, 2);
  return arcTangentFinite(env, x, y);
}

function arcTangentFinite(env: Environment, x: Operand80, y: Operand80): Float80 {
  const { sign } = y;
  const difference = y.exponent - x.exponent;
  if (difference < -TINY) {
    if (x.sign === 1) return piFraction(env, sign, 4);
    const quotient = (y.significand << 140n) / x.significand;
    return roundFixed(env, sign, (quotient << 1n) - 1n, difference - 141);
  }
  if (difference > TINY) return piFraction(env, sign, 2);
  const steep = difference > 0 || (difference === 0 && y.significand > x.significand);
  const small = steep ? x : y;
  const large = steep ? y : x;
  const shift = BITS + small.exponent - large.exponent;
  const angle = fixedAtan((small.significand << BigInt(shift)) / large.significand, BITS);
  // The angle of the first octant, mirrored at the diagonal and at the axis.
  const pi = fixedPi(BITS);
  const acute = steep ? (pi >> 1n) - angle : angle;
  return roundFixed(env, sign, x.sign === 1 ? pi - acute : acute, -BITS);
}

/** Sine, cosine and tangent of one argument; undefined beyond ±2^63, where C2 is set. */
export interface Trigonometry {
  sine(env: Environment): Float80;
  cosine(env: Environment): Float80;
  tangent(env: Environment): Float80;
}

/** True when the argument is too large to be reduced. */
export function beyondReduction(value: Operand80): boolean {
  return value.kind === FINITE && value.exponent >= 63;
}

/** The 66-bit pi that processors reduce arguments with, × 2^64. SDM Vol. 1, 8.3.8. */
const REDUCTION_PI = 0x3243f6a8885a308d3n;

/** The trigonometric functions of a finite operand below 2^63. */
export function trigonometry(value: Operand80): Trigonometry {
  if (value.kind === ZERO || value.exponent < -TINY) return tinyAngle(value);
  const quarter = REDUCTION_PI << BigInt(BITS + 64 - 65); // pi/2 with BITS + 64 fraction bits
  const angle = toFixed(value, BITS + 64);
  const quadrant = Number((angle / quarter) & 3n);
  let rest = angle % quarter;
  // Into the first half of the quadrant, where the series is short.
  const mirrored = rest > quarter >> 1n;
  if (mirrored) rest = quarter - rest;
  const { sine, cosine } = fixedSineCosine(rest, BITS + 64);
  const odd = (quadrant & 1) !== (mirrored ? 1 : 0);
  const sineMagnitude = odd ? cosine : sine;
  const cosineMagnitude = odd ? sine : cosine;
  const sineSign = value.sign ^ (quadrant >> 1);
  const cosineSign = ((quadrant + 1) >> 1) & 1;
  const scale = -BITS - 64;
  return {
    sine: (env) => roundFixed(env, sineSign, sineMagnitude, scale),
    cosine: (env) => roundFixed(env, cosineSign, cosineMagnitude, scale),
    tangent: (env) => {
      const ratio = (sineMagnitude << BigInt(BITS)) / cosineMagnitude;
      return roundFixed(env, sineSign ^ cosineSign, ratio, -BITS);
    },
  };
}

/** sin x ≈ tan x ≈ x and cos x ≈ 1, each missed by less than a bit of the guard. */
function tinyAngle(value: Operand80): Trigonometry {
  const one: Operand80 = { ...value, kind: FINITE, sign: 0, exponent: 0, significand: INTEGER_BIT };
  const isZero = value.kind === ZERO;
  return {
    sine: (env) => (isZero ? pack80(value) : nearly(env, value, value.sign, false)),
    cosine: (env) => (isZero ? pack80(one) : nearly(env, one, 0, false)),
    tangent: (env) => (isZero ? pack80(value) : nearly(env, value, value.sign, true)),
  };
}
