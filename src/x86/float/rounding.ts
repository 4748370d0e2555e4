import {
  type FloatEnvironment,
  MXCSR_OE,
  MXCSR_PE,
  MXCSR_UE,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  ROUND_ZERO,
} from './environment.ts';
import type { Format } from './format.ts';
import { infinityBits, zeroBits } from './number.ts';

/** Number of bits of a positive bigint. */
export function bitLength(value: bigint): number {
  const digits = value.toString(16);
  return digits.length * 4 - (Math.clz32(Number.parseInt(digits.charAt(0), 16)) - 28);
}

interface Shifted {
  readonly value: bigint;
  readonly inexact: boolean;
}

/** `significand` / 2^`shift`, rounded to an integer by `mode`. A negative shift is exact. */
export function roundShift(
  mode: number,
  sign: number,
  significand: bigint,
  shift: number,
): Shifted {
  if (shift <= 0) return { value: significand << BigInt(-shift), inexact: false };
  const count = BigInt(shift);
  const kept = significand >> count;
  const rest = significand - (kept << count);
  if (rest === 0n) return { value: kept, inexact: false };
  const half = 1n << (count - 1n);
  const away =
    mode === ROUND_NEAREST
      ? rest > half || (rest === half && (kept & 1n) === 1n)
      : mode === (sign === 0 ? ROUND_UP : ROUND_DOWN);
  return { value: away ? kept + 1n : kept, inexact: true };
}

/**
 * Rounds the exact value (-1)^`sign` × `significand` × 2^`scale` to `format` and packs it, raising OE, UE
 * and PE. The significand is not zero; when low bits were dropped, its lowest bit is a sticky one and it
 * has at least two bits more than the precision. Tininess is detected after rounding. SDM Vol. 1, 4.9.1.
 */
export function round(
  format: Format,
  env: FloatEnvironment,
  sign: number,
  significand: bigint,
  scale: number,
): bigint {
  const { precision, minExponent, maxExponent } = format;
  const length = bitLength(significand);
  let exponent = scale + length - 1;
  const mode = env.rounding;

  let { value, inexact } = roundShift(mode, sign, significand, length - precision);
  if (value >> BigInt(precision) !== 0n) {
    value >>= 1n;
    exponent++;
  }
  if (exponent < minExponent) {
    if (!env.masked(MXCSR_UE)) {
      // There is no result; PE tells whether it was exact as a normal number.
      env.raise(inexact ? MXCSR_UE | MXCSR_PE : MXCSR_UE);
      return zeroBits(format, sign);
    }
    if (env.flushesToZero) {
      env.raise(MXCSR_UE | MXCSR_PE);
      return zeroBits(format, sign);
    }
    const quantum = minExponent - precision + 1;
    ({ value, inexact } = roundShift(mode, sign, significand, quantum - scale));
    if (inexact) env.raise(MXCSR_UE | MXCSR_PE);
    // A value that rounded up to the smallest normal number packs itself.
    return zeroBits(format, sign) | value;
  }
  if (exponent > maxExponent) {
    // Unmasked, there is no result: see above.
    env.raise(inexact || env.masked(MXCSR_OE) ? MXCSR_OE | MXCSR_PE : MXCSR_OE);
    const toInfinity =
      mode !== ROUND_ZERO && (mode === ROUND_NEAREST || (mode === ROUND_UP) === (sign === 0));
    return toInfinity ? infinityBits(format, sign) : infinityBits(format, sign) - 1n;
  }
  if (inexact) env.raise(MXCSR_PE);
  const biased = BigInt(exponent + maxExponent);
  return zeroBits(format, sign) | (biased << format.fractionBits) | (value & format.fractionMask);
}
