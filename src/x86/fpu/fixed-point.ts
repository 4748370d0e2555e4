/**
 * Elementary functions of fixed-point numbers: a bigint stands for itself × 2^-bits. Arguments are
 * magnitudes (not negative); results are within a few units of the last of many guard bits.
 */
import { integerRoot } from './arithmetic.ts';

/** pi × 2^384 and ln 2 × 2^384, truncated. */
const PI_384 =
  0x3243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89452821e638d01377be5466cf34e90c6cn;
const LN2_384 =
  0xb17217f7d1cf79abc9e3b39803f2f6af40f343267298b62d8a0d175b8baafa2be7b876206debac98559552fb4afa1b10n;

export function fixedPi(bits: number): bigint {
  return PI_384 >> BigInt(384 - bits);
}

export function fixedLn2(bits: number): bigint {
  return LN2_384 >> BigInt(384 - bits);
}

/** e^x - 1 for 0 ≤ x < 1, and with `negative` 1 - e^-x. */
export function fixedExpm1(x: bigint, negative: boolean, bits: number): bigint {
  const shift = BigInt(bits);
  let term = x;
  let sum = x;
  for (let n = 2n; term !== 0n; n++) {
    term = ((term * x) >> shift) / n;
    sum += negative && (n & 1n) === 0n ? -term : term;
  }
  return sum;
}

/** atanh x (`alternate` false) or atan x for 0 ≤ x < 1/2: odd powers of x over their exponents. */
export function fixedArc(x: bigint, alternate: boolean, bits: number): bigint {
  const shift = BigInt(bits);
  const square = (x * x) >> shift;
  let power = x;
  let sum = x;
  let minus = alternate;
  for (let n = 3n; power !== 0n; n += 2n) {
    power = (power * square) >> shift;
    sum += minus ? -(power / n) : power / n;
    if (alternate) minus = !minus;
  }
  return sum;
}

/** atan x for 0 ≤ x ≤ 1, by halving the angle twice: tan(a/2) = tan a / (1 + √(1 + tan² a)). */
export function fixedAtan(x: bigint, bits: number): bigint {
  const shift = BigInt(bits);
  const one = 1n << shift;
  let tangent = x;
  for (let i = 0; i < 2; i++) {
    const root = integerRoot((one << shift) + tangent * tangent);
    tangent = (tangent << shift) / (one + root);
  }
  return fixedArc(tangent, true, bits) << 2n;
}

/** sin x and cos x for 0 ≤ x < 1. */
export function fixedSineCosine(x: bigint, bits: number): { sine: bigint; cosine: bigint } {
  const shift = BigInt(bits);
  const square = (x * x) >> shift;
  let sine = x;
  let cosine = 1n << shift;
  let sineTerm = sine;
  let cosineTerm = cosine;
  for (let n = 1n; cosineTerm !== 0n; n += 2n) {
    cosineTerm = -((cosineTerm * square) >> shift) / (n * (n + 1n));
    sineTerm = -((sineTerm * square) >> shift) / ((n + 1n) * (n + 2n));
    cosine += cosineTerm;
    sine += sineTerm;
  }
  return { sine, cosine };
}
