/** Numbers from memory and to memory, of every format but the decimal one. */
import type { Local, Value } from '../../../ir/mod.ts';
import type { Routine } from '../../routine.ts';
import { KIND_F32, KIND_F64, KIND_I16, KIND_I32 } from '../memory-kinds.ts';
import {
  exponentOf,
  INTEGER_BIT,
  isNormal,
  isZero,
  type Number80,
  SIGN,
  type Variable80,
} from './registers.ts';

/** What single and double precision look like from here. */
const FLOATS = {
  [KIND_F32]: { fraction: 23, top: 0xff, rebias: 16383 - 127, width: 32 },
  [KIND_F64]: { fraction: 52, top: 0x7ff, rebias: 16383 - 1023, width: 64 },
} as const;
type Float = (typeof FLOATS)[keyof typeof FLOATS];

/** Runs `each` for the value of `kind` that the parameter has at run time. */
function byKind(b: Routine, kind: Value, float: (of: Float) => void, integer: () => void): void {
  b.if(
    b.eq(kind, b.i32(KIND_F64)),
    () => float(FLOATS[KIND_F64]),
    () => b.if(b.eq(kind, b.i32(KIND_F32)), () => float(FLOATS[KIND_F32]), integer),
  );
}

/**
 * The number that loaded `bits` stand for: integers sign-extended to i64. Gives a variable that is 1 when
 * it is zero or normal, so that loading it raises nothing.
 */
export function fromMemory(
  b: Routine,
  kind: Value,
  bits: Value,
): { number: Variable80; good: Local } {
  const number = { significand: b.local('i64'), high: b.local('i32') };
  const good = b.local('i32');
  byKind(
    b,
    kind,
    ({ fraction, top, rebias, width }) => {
      const exponent = b.and(b.wrap(b.shrU(bits, b.i64(fraction))), b.i32(top));
      const shifted = b.shl(bits, b.i64(63 - fraction));
      const zero = b.eqz(b.shl(bits, b.i64(65 - width)));
      const sign = b.shl(b.and(b.wrap(b.shrU(bits, b.i64(width - 1))), b.i32(1)), b.i32(15));
      const normal = b.ltU(b.sub(exponent, b.i32(1)), b.i32(top - 1));
      b.set(good, b.or(zero, normal));
      b.set(number.significand, b.select(zero, b.i64(0), b.or(shifted, b.i64(INTEGER_BIT))));
      b.set(number.high, b.or(sign, b.select(zero, b.i32(0), b.add(exponent, b.i32(rebias)))));
    },
    () => {
      const negative = b.ltS(bits, b.i64(0));
      const magnitude = b.select(negative, b.neg(bits), bits);
      const count = b.pure('i64.clz', magnitude);
      const exponent = b.sub(b.i32(0x3fff + 63), b.wrap(count));
      b.set(number.significand, b.shl(magnitude, count));
      const high = b.or(b.shl(negative, b.i32(15)), exponent);
      b.set(number.high, b.select(b.nez(bits), high, b.i32(0)));
      b.set(good, b.i32(1));
    },
  );
  return { number, good };
}

/** What a store leaves: the bits to write, whether they are good, and how they were rounded. */
export interface Stored {
  readonly bits: Local;
  readonly good: Local;
  readonly inexact: Local;
  readonly up: Local;
}

/**
 * The bits of `x` in the format `kind`; rounded to nearest, or toward zero when `truncates`. Good unless
 * the number does not fit or is not an ordinary one.
 */
export function toMemory(b: Routine, kind: Value, x: Number80, truncates: Value): Stored {
  const to: Stored = {
    bits: b.local('i64'),
    good: b.local('i32'),
    inexact: b.local('i32'),
    up: b.local('i32'),
  };
  b.set(to.inexact, b.i32(0));
  b.set(to.up, b.i32(0));
  b.if(
    isZero(b, x),
    () => {
      b.set(to.good, b.i32(1));
      b.set(to.bits, b.i64(0));
      const negative = b.widen(b.shrU(x.high, b.i32(15)));
      const sign = ({ width }: Float): void => b.set(to.bits, b.shl(negative, b.i64(width - 1)));
      byKind(b, kind, sign, () => {});
    },
    () =>
      b.if(
        isNormal(b, x),
        () =>
          byKind(
            b,
            kind,
            (format) => float(b, format, x, truncates, to),
            () => integer(b, kind, x, truncates, to),
          ),
        () => b.set(to.good, b.i32(0)),
      ),
  );
  return to;
}

function float(b: Routine, format: Float, x: Number80, truncates: Value, to: Stored): void {
  const { fraction, top, rebias, width } = format;
  const dropped = 63 - fraction;
  const half = 1n << BigInt(dropped - 1);
  const below = b.and(x.significand, b.i64(2n * half - 1n));
  const kept = b.shrU(x.significand, b.i64(dropped));
  const tie = b.and(b.eq(below, b.i64(half)), b.and(b.wrap(kept), b.i32(1)));
  const away = b.and(b.or(b.gtU(below, b.i64(half)), tie), b.eqz(truncates));
  // The leading bit counts as one in the exponent; carried into, the exponent grows by itself.
  const exponent = b.sub(exponentOf(b, x), b.i32(rebias));
  const whole = b.add(
    b.add(kept, b.widen(away)),
    b.shl(b.widen(b.sub(exponent, b.i32(1))), b.i64(fraction)),
  );
  const result = b.wrap(b.shrU(whole, b.i64(fraction)));
  const inRange = b.ltU(b.sub(exponent, b.i32(1)), b.i32(top - 1));
  b.set(to.good, b.and(inRange, b.ltU(result, b.i32(top))));
  b.set(to.inexact, b.nez(below));
  b.set(to.up, away);
  const sign = b.shl(b.widen(b.shrU(x.high, b.i32(15))), b.i64(width - 1));
  b.set(to.bits, b.or(whole, sign));
}

function integer(b: Routine, kind: Value, x: Number80, truncates: Value, to: Stored): void {
  // Bits behind the point: 64 and more for magnitudes below one.
  const behind = b.sub(b.i32(0x3fff + 63), exponentOf(b, x));
  const toward = b.or(truncates, b.and(b.shrU(kind, b.i32(3)), b.i32(1)));
  const whole = b.local('i64');
  const rest = b.local('i64');
  b.if(
    b.ltU(b.sub(behind, b.i32(1)), b.i32(63)),
    () => {
      const wide = b.widen(behind);
      b.set(whole, b.shrU(x.significand, wide));
      b.set(rest, b.shl(x.significand, b.sub(b.i64(64), wide)));
    },
    () => {
      b.set(whole, b.i64(0));
      const half = b.select(b.eq(behind, b.i32(64)), x.significand, b.i64(1));
      b.set(rest, half);
    },
  );
  const left = b.get(rest);
  const kept = b.get(whole);
  const tie = b.and(b.eq(left, b.i64(INTEGER_BIT)), b.and(b.wrap(kept), b.i32(1)));
  const away = b.and(b.or(b.gtU(left, b.i64(INTEGER_BIT)), tie), b.eqz(toward));
  const magnitude = b.add(kept, b.widen(away));
  const negative = b.and(x.high, b.i32(SIGN));
  const value = b.select(negative, b.neg(magnitude), magnitude);
  // Magnitudes from 2^63 on, the largest negative number among them, are not done here.
  const size = b.and(kind, b.i32(7));
  const width = b.select(
    b.eq(size, b.i32(KIND_I16)),
    b.i64(16),
    b.select(b.eq(size, b.i32(KIND_I32)), b.i64(32), b.i64(64)),
  );
  const unused = b.sub(b.i64(64), width);
  const same = b.eq(b.shrS(b.shl(value, unused), unused), value);
  const inRange = b.and(b.pure('i32.gt_s', behind, b.i32(0)), b.eqz(b.ltS(magnitude, b.i64(0))));
  b.set(to.good, b.and(inRange, same));
  b.set(to.inexact, b.nez(left));
  b.set(to.up, away);
  b.set(to.bits, value);
}
