/** The binary interchange formats of SSE. IEEE 754-2008, 3.6; SDM Vol. 1, 4.2.2. */

/**
 * One format. A number is (-1)^sign × significand × 2^scale; bits travel as an unsigned bigint.
 *
 * ```
 *   sign (1) | exponent, biased | fraction (precision - 1)
 * ```
 */
export interface Format {
  /** bits in all */
  readonly width: 16 | 32 | 64;
  /** bits of the significand, the implied one included */
  readonly precision: number;
  /** exponent of the largest numbers, which is the bias too */
  readonly maxExponent: number;
  /** exponent of the smallest normal numbers */
  readonly minExponent: number;

  // Derived, as bigint for the packing code.
  readonly fractionBits: bigint;
  readonly fractionMask: bigint;
  readonly quietBit: bigint;
  readonly signBit: bigint;
  readonly infinity: bigint;
  /** the quiet NaN of invalid operations ("real indefinite") */
  readonly defaultNan: bigint;
}

function format(width: 16 | 32 | 64, precision: number): Format {
  const exponentBits = width - precision;
  const maxExponent = 2 ** (exponentBits - 1) - 1;
  const fractionBits = BigInt(precision - 1);
  const signBit = 1n << BigInt(width - 1);
  const infinity = ((1n << BigInt(exponentBits)) - 1n) << fractionBits;
  const quietBit = 1n << (fractionBits - 1n);
  return {
    width,
    precision,
    maxExponent,
    minExponent: 1 - maxExponent,
    fractionBits,
    fractionMask: (1n << fractionBits) - 1n,
    quietBit,
    signBit,
    infinity,
    defaultNan: signBit | infinity | quietBit,
  };
}

export const FLOAT16: Format = format(16, 11);
export const FLOAT32: Format = format(32, 24);
export const FLOAT64: Format = format(64, 53);
