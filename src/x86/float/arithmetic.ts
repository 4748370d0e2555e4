import { type FloatEnvironment, MXCSR_ZE, ROUND_DOWN } from './environment.ts';
import type { Format } from './format.ts';
import {
  checkDenormals,
  infinityBits,
  invalid,
  propagateNan,
  type Unpacked,
  unpack,
  zeroBits,
} from './number.ts';
import { bitLength, round } from './rounding.ts';

/**
 * Exact arithmetic on bits of a format, one rounding, all exceptions: the careful path of the SSE
 * instructions. SDM Vol. 1, chapter 4 and 11.5; IEEE 754-2008.
 */
export type BinaryOperation = (
  format: Format,
  env: FloatEnvironment,
  left: bigint,
  right: bigint,
) => bigint;

/** Sign of a sum that is exactly zero. */
function zeroSumSign(env: FloatEnvironment): number {
  return env.rounding === ROUND_DOWN ? 1 : 0;
}

/** (-1)^sign × significand × 2^scale, signed. */
const signedValue = (x: Unpacked): bigint => (x.sign === 0 ? x.significand : -x.significand);

/** Sum of two finite or zero values, exact, then rounded once. */
function addFinite(format: Format, env: FloatEnvironment, x: Unpacked, y: Unpacked): bigint {
  if (x.kind === 'zero' && y.kind === 'zero') {
    return zeroBits(format, x.sign === y.sign ? x.sign : zeroSumSign(env));
  }
  const scale =
    x.kind === 'zero' ? y.scale : y.kind === 'zero' ? x.scale : Math.min(x.scale, y.scale);
  const aligned = (v: Unpacked): bigint =>
    v.kind === 'zero' ? 0n : signedValue(v) << BigInt(v.scale - scale);
  const sum = aligned(x) + aligned(y);
  if (sum === 0n) return zeroBits(format, zeroSumSign(env));
  return round(format, env, sum < 0n ? 1 : 0, sum < 0n ? -sum : sum, scale);
}

function addUnpacked(format: Format, env: FloatEnvironment, x: Unpacked, y: Unpacked): bigint {
  if (x.kind === 'infinity' && y.kind === 'infinity' && x.sign !== y.sign)
    return invalid(format, env);
  checkDenormals(env, x, y);
  if (x.kind === 'infinity') return infinityBits(format, x.sign);
  if (y.kind === 'infinity') return infinityBits(format, y.sign);
  return addFinite(format, env, x, y);
}

export const add: BinaryOperation = (format, env, left, right) => {
  const x = unpack(format, left, env);
  const y = unpack(format, right, env);
  return propagateNan(format, env, x, y) ?? addUnpacked(format, env, x, y);
};

export const subtract: BinaryOperation = (format, env, left, right) => {
  const x = unpack(format, left, env);
  const y = unpack(format, right, env);
  return propagateNan(format, env, x, y) ?? addUnpacked(format, env, x, { ...y, sign: 1 - y.sign });
};

export const multiply: BinaryOperation = (format, env, left, right) => {
  const x = unpack(format, left, env);
  const y = unpack(format, right, env);
  const nan = propagateNan(format, env, x, y);
  if (nan !== undefined) return nan;
  const infinite = x.kind === 'infinity' || y.kind === 'infinity';
  const zero = x.kind === 'zero' || y.kind === 'zero';
  if (infinite && zero) return invalid(format, env);
  checkDenormals(env, x, y);
  const sign = x.sign ^ y.sign;
  if (infinite) return infinityBits(format, sign);
  if (zero) return zeroBits(format, sign);
  return round(format, env, sign, x.significand * y.significand, x.scale + y.scale);
};

export const divide: BinaryOperation = (format, env, left, right) => {
  const x = unpack(format, left, env);
  const y = unpack(format, right, env);
  const nan = propagateNan(format, env, x, y);
  if (nan !== undefined) return nan;
  const sign = x.sign ^ y.sign;
  if (x.kind === 'infinity' && y.kind === 'infinity') return invalid(format, env);
  if (y.kind === 'zero') {
    if (x.kind === 'zero') return invalid(format, env);
    if (x.kind === 'infinity') return infinityBits(format, sign);
    env.raise(MXCSR_ZE);
    return infinityBits(format, sign);
  }
  checkDenormals(env, x, y);
  if (x.kind === 'infinity') return infinityBits(format, sign);
  if (x.kind === 'zero' || y.kind === 'infinity') return zeroBits(format, sign);
  // Enough quotient bits for the precision, a rounding bit and a sticky one.
  const shift = Math.max(
    0,
    format.precision + 2 - bitLength(x.significand) + bitLength(y.significand),
  );
  const numerator = x.significand << BigInt(shift);
  const quotient = numerator / y.significand;
  const sticky = quotient * y.significand === numerator ? 0n : 1n;
  return round(format, env, sign, (quotient << 1n) | sticky, x.scale - y.scale - shift - 1);
};

/** Largest integer whose square is not above `value`. */
function integerSquareRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function squareRoot(format: Format, env: FloatEnvironment, bits: bigint): bigint {
  const x = unpack(format, bits, env);
  const nan = propagateNan(format, env, x);
  if (nan !== undefined) return nan;
  if (x.kind === 'zero') return zeroBits(format, x.sign);
  if (x.sign === 1) return invalid(format, env);
  checkDenormals(env, x);
  if (x.kind === 'infinity') return format.infinity;
  // An even scale, and twice the precision plus two bits.
  let shift = Math.max(0, 2 * (format.precision + 2) - bitLength(x.significand));
  if (((x.scale - shift) & 1) !== 0) shift++;
  const radicand = x.significand << BigInt(shift);
  const root = integerSquareRoot(radicand);
  const sticky = root * root === radicand ? 0n : 1n;
  return round(format, env, 0, (root << 1n) | sticky, (x.scale - shift) / 2 - 1);
}

/** left × right + addend with one rounding. Operand order for NaNs: left, right, addend. */
export function fusedMultiplyAdd(
  format: Format,
  env: FloatEnvironment,
  left: bigint,
  right: bigint,
  addend: bigint,
  negateProduct: boolean,
  negateAddend: boolean,
): bigint {
  const x = unpack(format, left, env);
  const y = unpack(format, right, env);
  const z = unpack(format, addend, env);
  const nan = propagateNan(format, env, x, y, z);
  if (nan !== undefined) return nan;
  const infinite = x.kind === 'infinity' || y.kind === 'infinity';
  const zero = x.kind === 'zero' || y.kind === 'zero';
  if (infinite && zero) return invalid(format, env);
  const productSign = x.sign ^ y.sign ^ (negateProduct ? 1 : 0);
  const other = negateAddend ? { ...z, sign: 1 - z.sign } : z;
  if (infinite && other.kind === 'infinity' && other.sign !== productSign)
    return invalid(format, env);
  checkDenormals(env, x, y, z);
  if (infinite) return infinityBits(format, productSign);
  if (other.kind === 'infinity') return infinityBits(format, other.sign);
  const product: Unpacked = {
    kind: zero ? 'zero' : 'finite',
    sign: productSign,
    significand: x.significand * y.significand,
    scale: x.scale + y.scale,
    denormal: false,
    bits: 0n,
  };
  return addFinite(format, env, product, other);
}
