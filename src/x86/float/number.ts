import { type FloatEnvironment, MXCSR_DE, MXCSR_IE } from './environment.ts';
import type { Format } from './format.ts';

/** A number taken apart. `significand` and `scale` mean something for the kind `finite` alone. */
export interface Unpacked {
  readonly kind: 'zero' | 'finite' | 'infinity' | 'quiet' | 'signaling';
  /** 0 or 1 */
  readonly sign: number;
  readonly significand: bigint;
  /** exponent of the significand's lowest bit */
  readonly scale: number;
  readonly denormal: boolean;
  /** the bits it came from */
  readonly bits: bigint;
}

/** Takes `bits` apart; under DAZ a denormal is a zero of its sign. */
export function unpack(format: Format, bits: bigint, env: FloatEnvironment): Unpacked {
  const sign = (bits & format.signBit) === 0n ? 0 : 1;
  const fraction = bits & format.fractionMask;
  const exponent = Number((bits & format.infinity) >> format.fractionBits);
  const empty = { sign, significand: 0n, scale: 0, denormal: false, bits };
  if (exponent === 0) {
    if (fraction === 0n || env.denormalsAreZero) return { ...empty, kind: 'zero' };
    const scale = format.minExponent - format.precision + 1;
    return { kind: 'finite', sign, significand: fraction, scale, denormal: true, bits };
  }
  if (exponent > 2 * format.maxExponent) {
    if (fraction === 0n) return { ...empty, kind: 'infinity' };
    return { ...empty, kind: (fraction & format.quietBit) !== 0n ? 'quiet' : 'signaling' };
  }
  const scale = exponent - format.maxExponent - format.precision + 1;
  const significand = fraction | (1n << format.fractionBits);
  return { kind: 'finite', sign, significand, scale, denormal: false, bits };
}

export function isNan(x: Unpacked): boolean {
  return x.kind === 'quiet' || x.kind === 'signaling';
}

/** Raises DE when an operand is denormal: after NaN, invalid and zero-divide have been ruled out. */
export function checkDenormals(env: FloatEnvironment, ...operands: readonly Unpacked[]): void {
  if (operands.some(({ denormal }) => denormal)) env.raise(MXCSR_DE);
}

/**
 * Result of an operation that has a NaN operand: the first NaN in operand order, quieted; undefined when
 * there is none. SDM Vol. 1, Table 4-7.
 */
export function propagateNan(
  format: Format,
  env: FloatEnvironment,
  ...operands: readonly Unpacked[]
): bigint | undefined {
  const first = operands.find(isNan);
  if (first === undefined) return undefined;
  if (operands.some(({ kind }) => kind === 'signaling')) env.raise(MXCSR_IE);
  return first.bits | format.quietBit;
}

/** An operation without a meaning: IE and the default NaN. */
export function invalid(format: Format, env: FloatEnvironment): bigint {
  env.raise(MXCSR_IE);
  return format.defaultNan;
}

export function zeroBits(format: Format, sign: number): bigint {
  return sign === 0 ? 0n : format.signBit;
}

export function infinityBits(format: Format, sign: number): bigint {
  return zeroBits(format, sign) | format.infinity;
}
