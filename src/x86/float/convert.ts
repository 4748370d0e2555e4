import { type FloatEnvironment, MXCSR_IE, MXCSR_PE } from './environment.ts';
import type { Format } from './format.ts';
import { checkDenormals, infinityBits, isNan, unpack, zeroBits } from './number.ts';
import { round, roundShift } from './rounding.ts';

/** Conversions between formats and integers. SDM Vol. 1, 4.9.1 and Table 11-1; Vol. 2A "CVTSD2SI". */

/**
 * From one format to another: a NaN keeps its upper payload bits and becomes quiet. Denormal operands
 * raise DE unless `reportsDenormal` says otherwise.
 */
export function convertFormat(
  from: Format,
  to: Format,
  env: FloatEnvironment,
  bits: bigint,
  reportsDenormal = true,
): bigint {
  const x = unpack(from, bits, env);
  if (isNan(x)) {
    if (x.kind === 'signaling') env.raise(MXCSR_IE);
    const payload = (bits & from.fractionMask) | from.quietBit;
    const shift = to.fractionBits - from.fractionBits;
    const moved = shift >= 0n ? payload << shift : payload >> -shift;
    return infinityBits(to, x.sign) | moved;
  }
  if (reportsDenormal) checkDenormals(env, x);
  if (x.kind === 'infinity') return infinityBits(to, x.sign);
  if (x.kind === 'zero') return zeroBits(to, x.sign);
  return round(to, env, x.sign, x.significand, x.scale);
}

/** From a signed integer (any size). */
export function fromInteger(to: Format, env: FloatEnvironment, value: bigint): bigint {
  if (value === 0n) return 0n;
  return round(to, env, value < 0n ? 1 : 0, value < 0n ? -value : value, 0);
}

/**
 * To a signed integer of `width` bits, as unsigned bits. What does not fit, infinities and NaNs give IE
 * and the "integer indefinite" 100...0. Denormal operands raise no DE.
 */
export function toInteger(
  from: Format,
  env: FloatEnvironment,
  bits: bigint,
  width: number,
  mode: number,
): bigint {
  const x = unpack(from, bits, env);
  const indefinite = 1n << BigInt(width - 1);
  if (x.kind === 'zero') return 0n;
  if (x.kind !== 'finite' || x.scale > width) {
    env.raise(MXCSR_IE);
    return indefinite;
  }
  const { value, inexact } = roundShift(mode, x.sign, x.significand, -x.scale);
  const signed = x.sign === 0 ? value : -value;
  if (signed >= indefinite || signed < -indefinite) {
    env.raise(MXCSR_IE);
    return indefinite;
  }
  if (inexact) env.raise(MXCSR_PE);
  return BigInt.asUintN(width, signed);
}

/** To an integral value of the same format (ROUNDPS). PE only when `reportsInexact`; never DE. */
export function roundToIntegral(
  format: Format,
  env: FloatEnvironment,
  bits: bigint,
  mode: number,
  reportsInexact: boolean,
): bigint {
  const x = unpack(format, bits, env);
  if (isNan(x)) {
    if (x.kind === 'signaling') env.raise(MXCSR_IE);
    return bits | format.quietBit;
  }
  if (x.kind === 'zero') return zeroBits(format, x.sign);
  if (x.kind === 'infinity' || x.scale >= 0) return bits;
  const { value, inexact } = roundShift(mode, x.sign, x.significand, -x.scale);
  if (inexact && reportsInexact) env.raise(MXCSR_PE);
  if (value === 0n) return zeroBits(format, x.sign);
  return round(format, env, x.sign, value, 0);
}
