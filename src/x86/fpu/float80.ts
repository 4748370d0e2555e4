/**
 * Double extended precision values. SDM Vol. 1, 4.2.2 and 8.2.
 *
 *   79   78 ........ 64   63   62 .................... 0
 *   sign    exponent       J        fraction
 *
 * J, the integer bit, is explicit. Exponents are biased by 16383.
 */

/** The bits as a register holds them. */
export interface Float80 {
  /** 0 or 1 */
  readonly sign: number;
  /** biased, 0 to 0x7fff */
  readonly exponent: number;
  /** 64 bits, J on top */
  readonly significand: bigint;
}

export const EXPONENT_BIAS = 16383;
export const EXPONENT_MAX = 0x7fff;
export const INTEGER_BIT = 1n << 63n;
export const QUIET_BIT = 1n << 62n;

/** What an operand is. */
export const ZERO = 0;
export const FINITE = 1;
export const INFINITE = 2;
export const QUIET = 3;
export const SIGNALING = 4;
/** pseudo-infinity, pseudo-NaN, unnormal: invalid operands since the 80387 */
export const UNSUPPORTED = 5;

/** An operand taken apart. FINITE: value = significand × 2^(exponent - 63), bit 63 set. */
export interface Operand80 {
  readonly kind: number;
  readonly sign: number;
  /** unbiased exponent of the leading bit; meaningful for FINITE only */
  readonly exponent: number;
  readonly significand: bigint;
  /** the operand raises DE: denormal or pseudo-denormal, or converted from a narrower denormal */
  readonly denormal: boolean;
}

/** Real indefinite: the answer to a masked invalid operation. */
export const INDEFINITE: Float80 = {
  sign: 1,
  exponent: EXPONENT_MAX,
  significand: INTEGER_BIT | QUIET_BIT,
};

export function zero80(sign: number): Float80 {
  return { sign, exponent: 0, significand: 0n };
}

export function infinity80(sign: number): Float80 {
  return { sign, exponent: EXPONENT_MAX, significand: INTEGER_BIT };
}

/** Number of bits up to the leading one; 0 for 0. */
export function bitLength(value: bigint): number {
  let rest = value;
  let length = 0;
  while (rest > 0xffff_ffff_ffff_ffffn) {
    rest >>= 64n;
    length += 64;
  }
  const high = Number(rest >> 32n);
  if (high !== 0) return length + 64 - Math.clz32(high);
  return length + 32 - Math.clz32(Number(rest));
}

/** Takes register bits apart. */
export function unpack80(value: Float80): Operand80 {
  const { sign, exponent, significand } = value;
  if (exponent === 0) {
    if (significand === 0n) return operand(ZERO, sign, 0, 0n, false);
    const missing = 64 - bitLength(significand);
    return operand(FINITE, sign, 1 - EXPONENT_BIAS - missing, significand << BigInt(missing), true);
  }
  if (significand < INTEGER_BIT) return operand(UNSUPPORTED, sign, 0, significand, false);
  if (exponent === EXPONENT_MAX) {
    if (significand === INTEGER_BIT) return operand(INFINITE, sign, 0, significand, false);
    const kind = (significand & QUIET_BIT) !== 0n ? QUIET : SIGNALING;
    return operand(kind, sign, 0, significand, false);
  }
  return operand(FINITE, sign, exponent - EXPONENT_BIAS, significand, false);
}

/** Puts an operand together again; exact, for operands that are no result of rounding. */
export function pack80(value: Operand80): Float80 {
  const { kind, sign, exponent, significand } = value;
  if (kind === ZERO) return zero80(sign);
  if (kind !== FINITE) return { sign, exponent: EXPONENT_MAX, significand };
  const biased = exponent + EXPONENT_BIAS;
  if (biased >= 1) return { sign, exponent: biased, significand };
  return { sign, exponent: 0, significand: significand >> BigInt(1 - biased) };
}

export function operand(
  kind: number,
  sign: number,
  exponent: number,
  significand: bigint,
  denormal: boolean,
): Operand80 {
  return { kind, sign, exponent, significand, denormal };
}

/** True for every kind that is not a number. */
export function isNan(value: Operand80): boolean {
  return value.kind >= QUIET;
}
