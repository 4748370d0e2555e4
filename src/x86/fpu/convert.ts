/** Conversions between double extended precision and the memory formats. SDM Vol. 1, 4.2 and 4.7. */
import { type Environment, ROUND_ZERO } from './environment.ts';
import {
  bitLength,
  FINITE,
  type Float80,
  INFINITE,
  INTEGER_BIT,
  isNan,
  type Operand80,
  operand,
  pack80,
  QUIET,
  QUIET_BIT,
  SIGNALING,
  UNSUPPORTED,
  ZERO,
  zero80,
} from './float80.ts';
import { nanResult, quieted } from './nan.ts';
import { overflowsToInfinity, roundShift } from './rounding.ts';
import { FPU_DE, FPU_IE, FPU_OE, FPU_PE, FPU_UE } from './words.ts';

/** A narrower binary format. */
export interface FloatFormat {
  readonly bits: 32 | 64;
  /** significand bits, the hidden one included */
  readonly precision: number;
  readonly bias: number;
}

export const FLOAT32: FloatFormat = { bits: 32, precision: 24, bias: 127 };
export const FLOAT64: FloatFormat = { bits: 64, precision: 53, bias: 1023 };

/** Takes the bits of a narrower number apart; NaN payloads keep their place below the quiet bit. */
export function fromFloat(bits: bigint, format: FloatFormat): Operand80 {
  const fractionBits = BigInt(format.precision - 1);
  const sign = Number((bits >> BigInt(format.bits - 1)) & 1n);
  const exponent = Number((bits >> fractionBits) & BigInt(2 * format.bias + 1));
  const fraction = bits & ((1n << fractionBits) - 1n);
  if (exponent === 0) {
    if (fraction === 0n) return operand(ZERO, sign, 0, 0n, false);
    const length = bitLength(fraction);
    const value = 1 - format.bias - (format.precision - length);
    return operand(FINITE, sign, value, fraction << BigInt(64 - length), true);
  }
  const significand = INTEGER_BIT | (fraction << BigInt(64 - format.precision));
  if (exponent !== 2 * format.bias + 1) {
    return operand(FINITE, sign, exponent - format.bias, significand, false);
  }
  if (fraction === 0n) return operand(INFINITE, sign, 0, significand, false);
  const kind = (significand & QUIET_BIT) !== 0n ? QUIET : SIGNALING;
  return operand(kind, sign, 0, significand, false);
}

/**
 * What FLD of a narrower number pushes: raises IE for signaling NaNs and DE for denormals. An unmasked
 * DE does not keep the number from being pushed.
 */
export function loadedFloat(env: Environment, value: Operand80): Float80 {
  if (value.kind === SIGNALING) {
    env.raise(FPU_IE);
    return quieted(value);
  }
  if (value.denormal) env.raise(FPU_DE);
  return pack80(value);
}

/** Integers convert exactly. */
export function fromInteger(value: bigint): Operand80 {
  if (value === 0n) return operand(ZERO, 0, 0, 0n, false);
  const sign = value < 0n ? 1 : 0;
  const magnitude = sign === 1 ? -value : value;
  const length = bitLength(magnitude);
  return operand(FINITE, sign, length - 1, magnitude << BigInt(64 - length), false);
}

function special(format: FloatFormat, sign: number, fraction: bigint): bigint {
  const exponent = BigInt(2 * format.bias + 1) << BigInt(format.precision - 1);
  return (BigInt(sign) << BigInt(format.bits - 1)) | exponent | fraction;
}

/** Rounds to a narrower format. The result counts only when no unmasked exception was raised. */
export function toFloat(env: Environment, value: Operand80, format: FloatFormat): bigint {
  const { sign, kind } = value;
  const signBit = BigInt(sign) << BigInt(format.bits - 1);
  const fractionBits = BigInt(format.precision - 1);
  if (kind === ZERO) return signBit;
  if (kind === INFINITE) return special(format, sign, 0n);
  if (kind === UNSUPPORTED) {
    env.raise(FPU_IE);
    return special(format, 1, 1n << (fractionBits - 1n));
  }
  if (isNan(value)) {
    if (kind === SIGNALING) env.raise(FPU_IE);
    const payload = (value.significand | QUIET_BIT) & (INTEGER_BIT - 1n);
    return special(format, sign, payload >> BigInt(64 - format.precision));
  }
  return signBit | finiteToFloat(env, value, format);
}

/** Raises OE or UE; true when it is unmasked: then nothing is stored, and neither PE nor C1 is set. */
function stopped(env: Environment, flag: number): boolean {
  env.raise(flag);
  if (env.masked(flag)) return false;
  env.roundedUp = false;
  return true;
}

function finiteToFloat(env: Environment, value: Operand80, format: FloatFormat): bigint {
  const { precision, bias } = format;
  const fractionBits = BigInt(precision - 1);
  let rounded = roundShift(env, value.sign, value.significand, 64 - precision);
  let exponent = value.exponent;
  if (rounded >> BigInt(precision) !== 0n) {
    rounded >>= 1n;
    exponent++;
  }
  if (exponent > bias) {
    if (stopped(env, FPU_OE)) return 0n;
    env.raise(FPU_PE);
    env.roundedUp = overflowsToInfinity(env.rounding, value.sign);
    const largest = (BigInt(2 * bias) << fractionBits) | ((1n << fractionBits) - 1n);
    return env.roundedUp ? BigInt(2 * bias + 1) << fractionBits : largest;
  }
  if (exponent < 1 - bias) {
    // Tiny: fewer bits at the smallest exponent. A carry into the hidden bit is exponent 1.
    if (!env.masked(FPU_UE) && stopped(env, FPU_UE)) return 0n;
    const shift = 64 - precision + (1 - bias - value.exponent);
    const field = roundShift(env, value.sign, value.significand, shift);
    if (env.inexact) env.raise(FPU_UE | FPU_PE);
    return field;
  }
  if (env.inexact) env.raise(FPU_PE);
  return (BigInt(exponent + bias) << fractionBits) | (rounded & ((1n << fractionBits) - 1n));
}

/**
 * Rounds to a signed integer of `bits` bits (`truncate`: toward zero); what does not fit raises IE and
 * gives the integer indefinite (the most negative one). The result is unsigned modulo 2^bits.
 */
export function toInteger(
  env: Environment,
  value: Operand80,
  bits: number,
  truncate: boolean,
): bigint {
  const indefinite = 1n << BigInt(bits - 1);
  if (value.kind === ZERO) return 0n;
  if (value.kind !== FINITE || value.exponent >= bits) {
    env.raise(FPU_IE);
    return indefinite;
  }
  const mode = truncate ? ROUND_ZERO : env.rounding;
  const magnitude = roundShift(env, value.sign, value.significand, 63 - value.exponent, mode);
  if (magnitude > indefinite - (value.sign === 1 ? 0n : 1n)) {
    env.inexact = false;
    env.roundedUp = false;
    env.raise(FPU_IE);
    return indefinite;
  }
  if (env.inexact) env.raise(FPU_PE);
  return BigInt.asUintN(bits, value.sign === 1 ? -magnitude : magnitude);
}

const BCD_LIMIT = 10n ** 18n;

/** Packed BCD indefinite of FBSTP. */
const BCD_INDEFINITE = 0xffff_c000_0000_0000_0000n;

/** The ten bytes of FBSTP as an 80-bit integer: eighteen digits and a sign byte. */
export function toPackedDecimal(env: Environment, value: Operand80): bigint {
  const signBit = BigInt(value.sign) << 79n;
  if (value.kind === ZERO) return signBit;
  if (value.kind !== FINITE || value.exponent >= 63) {
    env.raise(FPU_IE);
    return BCD_INDEFINITE;
  }
  let rest = roundShift(env, value.sign, value.significand, 63 - value.exponent);
  if (rest >= BCD_LIMIT) {
    env.inexact = false;
    env.roundedUp = false;
    env.raise(FPU_IE);
    return BCD_INDEFINITE;
  }
  if (env.inexact) env.raise(FPU_PE);
  let digits = 0n;
  for (let i = 0n; i < 18n; i++) {
    digits |= (rest % 10n) << (4n * i);
    rest /= 10n;
  }
  return signBit | digits;
}

/** The number FBLD pushes. Digits above nine count as they are; the manual leaves them undefined. */
export function fromPackedDecimal(bits: bigint): Float80 {
  let magnitude = 0n;
  for (let i = 17n; i >= 0n; i--) magnitude = magnitude * 10n + ((bits >> (4n * i)) & 15n);
  const sign = Number((bits >> 79n) & 1n);
  return { ...pack80(fromInteger(magnitude)), sign };
}

/** Rounds to an integral value in double extended precision: FRNDINT. */
export function roundToIntegral(env: Environment, value: Operand80): Float80 {
  if (isNan(value)) return nanResult(env, value);
  if (value.kind !== FINITE) return pack80(value);
  if (env.denormalStops(value.denormal)) return zero80(0);
  if (value.exponent >= 63) return pack80(value);
  const integer = roundShift(env, value.sign, value.significand, 63 - value.exponent);
  if (env.inexact) env.raise(FPU_PE);
  return { ...pack80(fromInteger(integer)), sign: value.sign };
}
