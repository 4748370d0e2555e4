import type { Value } from '../../ir/mod.ts';
import {
  FLOAT_OPERATION,
  FLOAT32,
  FLOAT64,
  type FloatOperation,
  MXCSR_PE,
  MXCSR_PM,
  MXCSR_RC,
} from '../float/mod.ts';
import { FACT, type Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';
import { constant } from './sse-shared.ts';

/**
 * Floating point in two paths. The host's own arithmetic is exact where MXCSR asks for nothing special
 * (round to nearest, inexact already reported and masked) and operands and result are ordinary; then the
 * only exception it could raise is the one that is already set. Everything else goes to a helper that
 * computes result and exception flags in full (float/).
 *
 * Bits travel as i32, i64 or v128 so that NaNs keep their payload.
 */

export type FloatWidth = 32 | 64;

// --- MXCSR

/** Inexact results raise nothing new. */
export function inexactIsKnown(b: Semantics): Value {
  return mxcsrIs(b, MXCSR_PE | MXCSR_PM, MXCSR_PE | MXCSR_PM);
}

/** Inexact results raise nothing new, and rounding is to nearest. */
export function hostRounds(b: Semantics): Value {
  return mxcsrIs(b, MXCSR_PE | MXCSR_PM | MXCSR_RC, MXCSR_PE | MXCSR_PM);
}

/** Rounding is to nearest. */
export function roundsToNearest(b: Semantics): Value {
  return mxcsrIs(b, MXCSR_RC, 0);
}

function mxcsrIs(b: Semantics, mask: number, value: number): Value {
  return b.mxcsrIs(mask, value);
}

// --- scalars: bits as i32 (single) or i64 (double)

const fractionBits = (width: FloatWidth): bigint => (width === 32 ? FLOAT32 : FLOAT64).fractionBits;
const infinityOf = (width: FloatWidth): bigint => (width === 32 ? FLOAT32 : FLOAT64).infinity;

/** A constant of the type that carries the bits of a `width`-bit number. */
export function bitsOf(b: Semantics, width: FloatWidth, value: bigint): Value {
  return width === 32 ? b.i32(Number(BigInt.asIntN(32, value))) : b.i64(value);
}

export function asFloat(b: Semantics, width: FloatWidth, bits: Value): Value {
  return b.pure(width === 32 ? 'f32.reinterpret_i32' : 'f64.reinterpret_i64', bits);
}

export function asBits(b: Semantics, width: FloatWidth, value: Value): Value {
  return b.pure(width === 32 ? 'i32.reinterpret_f32' : 'i64.reinterpret_f64', value);
}

/** The bits of an element that `readElement` gave. */
export function narrow(b: Semantics, width: FloatWidth, element: Value): Value {
  return width === 32 ? b.wrap(element) : element;
}

/** i64 form for `writeElement`. */
export function element(b: Semantics, width: FloatWidth, bits: Value): Value {
  return width === 32 ? b.widen(bits) : bits;
}

/** Bits without the sign, times two: zero for both zeros. */
export function twice(b: Semantics, width: FloatWidth, bits: Value): Value {
  return b.shl(bits, bitsOf(b, width, 1n));
}

/** Not denormal, from `twice`. Zero wraps to the largest number. */
export function notDenormal(b: Semantics, width: FloatWidth, doubled: Value): Value {
  const least = (2n << fractionBits(width)) - 2n;
  return b.gtU(b.sub(doubled, bitsOf(b, width, 1n)), bitsOf(b, width, least));
}

/** Finite and above the smallest normal number, from `twice`: rounded to it, a result may be tiny. */
export function wellNormal(b: Semantics, width: FloatWidth, doubled: Value): Value {
  const least = (2n << fractionBits(width)) + 1n;
  const span = 2n * infinityOf(width) - least;
  return b.ltU(b.sub(doubled, bitsOf(b, width, least)), bitsOf(b, width, span));
}

/** Finite and normal, from `twice`. */
export function normal(b: Semantics, width: FloatWidth, doubled: Value): Value {
  const least = 2n << fractionBits(width);
  return b.ltU(
    b.sub(doubled, bitsOf(b, width, least)),
    bitsOf(b, width, 2n * infinityOf(width) - least),
  );
}

/**
 * Finite and at least twice the smallest normal number: most results are, and few operations tell. Only the
 * exponent is looked at.
 */
export function quicklyNormal(b: Semantics, width: FloatWidth, bits: Value): Value {
  if (width === 32)
    return b.ltU(b.sub(b.shl(bits, b.i32(1)), b.i32(0x0200_0000)), b.i32(0xfd00_0000 | 0));
  const high = b.shl(b.wrap(b.shrU(bits, b.i64(32))), b.i32(1));
  return b.ltU(b.sub(high, b.i32(0x0040_0000)), b.i32(0xffa0_0000 | 0));
}

/** FACT of the low number, and of all numbers, of a vector register. */
export const scalarFact = (width: FloatWidth): number => (width === 32 ? FACT.single : FACT.double);
export const packedFacts = (width: FloatWidth): number =>
  width === 32 ? FACT.singles | FACT.single : FACT.doubles | FACT.double;

/** Not a NaN, from `twice`. */
export function notNan(b: Semantics, width: FloatWidth, doubled: Value): Value {
  return b.leU(doubled, bitsOf(b, width, 2n * infinityOf(width)));
}

// --- vectors: all-ones lanes where something is wrong

const shapeOf = (width: FloatWidth): string => (width === 32 ? 'i32x4' : 'i64x2');
export const floatShape = (width: FloatWidth): string => (width === 32 ? 'f32x4' : 'f64x2');

/** Lanes without their sign, times two, moved so that signed comparison orders them as unsigned. */
function ordered(b: Semantics, width: FloatWidth, vector: Value, minus: bigint): Value {
  const doubled = b.pure(`${shapeOf(width)}.shl`, vector, b.i32(1));
  const move = (1n << BigInt(width - 1)) - minus;
  return b.pure(`${shapeOf(width)}.add`, doubled, constant(b, width, move));
}

const lanesBelow = (b: Semantics, width: FloatWidth, vector: Value, limit: bigint): Value =>
  b.pure(`${shapeOf(width)}.lt_s`, vector, constant(b, width, limit - (1n << BigInt(width - 1))));

/** Denormal lanes. */
export function denormalLanes(b: Semantics, width: FloatWidth, vector: Value): Value {
  return lanesBelow(b, width, ordered(b, width, vector, 1n), (2n << fractionBits(width)) - 1n);
}

/** Lanes that are not finite and above the smallest normal number. */
export function notWellNormalLanes(b: Semantics, width: FloatWidth, vector: Value): Value {
  const least = (2n << fractionBits(width)) + 1n;
  const good = lanesBelow(
    b,
    width,
    ordered(b, width, vector, least),
    2n * infinityOf(width) - least,
  );
  return b.pure('v128.not', good);
}

/** Lanes that are zero, of either sign. */
export function zeroLanes(b: Semantics, width: FloatWidth, vector: Value): Value {
  return b.pure(`${floatShape(width)}.eq`, vector, constant(b, 64, 0));
}

/** Infinite and NaN lanes. */
export function notFiniteLanes(b: Semantics, width: FloatWidth, vector: Value): Value {
  const infinity = constant(b, width, infinityOf(width));
  return b.pure(`${shapeOf(width)}.eq`, b.pure('v128.and', vector, infinity), infinity);
}

/** NaN lanes. */
export function nanLanes(b: Semantics, width: FloatWidth, vector: Value): Value {
  return b.pure(`${floatShape(width)}.ne`, vector, vector);
}

/** All lanes finite and at least twice the smallest normal number. */
export function quicklyNormalLanes(b: Semantics, width: FloatWidth, vector: Value): Value {
  const least = 4n << fractionBits(width);
  const lanes = ordered(b, width, vector, least);
  const good = lanesBelow(b, width, lanes, 2n * infinityOf(width) - least);
  const all = width === 32 ? 15 : 3;
  return b.eq(b.pure(`${shapeOf(width)}.bitmask`, good), b.i32(all));
}

/** No lane of any vector is set. */
export function noLane(b: Semantics, ...vectors: readonly Value[]): Value {
  const all = vectors.reduce((x, y) => b.pure('v128.or', x, y));
  return b.eqz(b.pure('v128.any_true', all));
}

// --- the careful path

const SCRATCH = STATE.vectorScratch;
/** Where the second and third operands of a helper lie. */
export const SECOND = 32;
export const THIRD = 64;

const scratch = (at: number) => ({ kind: 'fixed', offset: SCRATCH + at }) as const;

/** Puts a scalar's bits or a vector where helpers look for their operands. */
export function putScratch(b: Semantics, at: number, value: Value): void {
  b.writeState(
    scratch(at),
    value.type === 'v128' ? 'v128' : value.type === 'i32' ? 'i32' : 'i64',
    value,
  );
}

/** A result of a helper, of the type given. */
export function getScratch(b: Semantics, at: number, type: 'i32' | 'i64' | 'v128'): Value {
  return b.readState(scratch(at), type);
}

/** When fast values are good, said twice. */
export interface Conditions {
  /** all of these suffice, and are cheap: tested one by one where code is hot */
  readonly quick: readonly Value[];
  /** the whole truth, where one of them fails */
  readonly good: () => Value;
}

/**
 * `fast` values when `condition` holds, else what `helper` leaves in the scratch area: one value every
 * 16 bytes. The helper finds the values of `first` and `second` there. `retry` builds a second condition
 * for the fast values, too dear to be tested at once.
 */
export function fastOrCareful(
  b: Semantics,
  condition: Value | Conditions,
  fast: readonly Value[],
  first: readonly Value[],
  second: readonly Value[],
  helper: () => void,
  retry?: () => Value,
): Value[] {
  const { quick, good } =
    'quick' in condition ? condition : { quick: [condition], good: () => b.i32(0) };
  if (b.helpersLeave) {
    b.guard(quick, () => {
      const leave = retry === undefined ? helper : () => b.if(b.eqz(retry()), helper);
      b.if(b.eqz(good()), leave);
    });
    return [...fast];
  }
  const whole = 'quick' in condition ? good() : condition;
  const locals = fast.map((value) => b.local(value.type));
  const takeFast = (): void => {
    locals.forEach((local, i) => {
      b.set(local, fast[i] as Value);
    });
  };
  const takeCareful = (): void => {
    first.forEach((value, i) => {
      putScratch(b, i * 16, value);
    });
    second.forEach((value, i) => {
      putScratch(b, SECOND + i * 16, value);
    });
    helper();
    locals.forEach((local, i) => {
      b.set(local, getScratch(b, i * 16, local.type as 'i32' | 'i64' | 'v128'));
    });
  };
  b.if(whole, takeFast, () => {
    if (retry === undefined) takeCareful();
    else b.if(retry(), takeFast, takeCareful);
  });
  return locals.map((local) => b.get(local));
}

/** Calls the helper for `operation` over the operands in the scratch area. */
export function carefulLanes(
  b: Semantics,
  operation: FloatOperation,
  width: FloatWidth,
  lanes: number,
  immediate?: Value,
): void {
  b.helper(
    'floatLanes',
    b.i32(FLOAT_OPERATION[operation]),
    b.i32(width),
    b.i32(lanes),
    immediate ?? b.i32(0),
  );
}
