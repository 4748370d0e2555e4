/**
 * RCPPS and RSQRTPS. Processors differ in their tables; the manual asks for a relative error of at most
 * 1.5 × 2^-12. Here the exact value is rounded to a significand of 13 bits, so the error stays below
 * 2^-13. No exceptions, no rounding mode; denormal operands and tiny results are zeros.
 */

const bits = new DataView(new ArrayBuffer(8));
const QUIET = 0x0040_0000;
const SIGN = 0x8000_0000;
const INFINITY = 0x7f80_0000;
const DEFAULT_NAN = 0xffc0_0000;
/** fraction bits that are rounded away */
const DROPPED = 11;

const isDenormal = (single: number): boolean =>
  (single & INFINITY) === 0 && (single & 0x7f_ffff) !== 0;

function rounded(value: number): number {
  bits.setFloat32(0, value);
  const single = bits.getUint32(0);
  const kept = (single + (1 << (DROPPED - 1))) & ~((1 << DROPPED) - 1);
  return isDenormal(kept) ? (kept & SIGN) >>> 0 : kept >>> 0;
}

/** Approximate 1/x, or 1/√x when `root`: bits of a single to bits of a single. */
export function approximate(single: number, root: boolean): number {
  if ((single & INFINITY) === INFINITY && (single & 0x7f_ffff) !== 0) return (single | QUIET) >>> 0;
  const sign = (single & SIGN) >>> 0;
  if ((single & 0x7fff_ffff) === 0 || isDenormal(single)) return (sign | INFINITY) >>> 0;
  if (root && sign !== 0) return DEFAULT_NAN;
  if ((single & INFINITY) === INFINITY) return sign;
  bits.setUint32(0, single);
  const value = bits.getFloat32(0);
  return rounded(root ? 1 / Math.sqrt(value) : 1 / value);
}
