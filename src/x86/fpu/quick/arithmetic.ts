/**
 * Sum, product, quotient and square root of normal numbers, rounded to nearest: integer arithmetic on the
 * significands. The exact result is a significand of 64 bits with its leading bit set and 64 bits behind
 * it, of which the last may stand for all that was dropped.
 */
import type { Local, Value } from '../../../ir/mod.ts';
import type { Routine } from '../../routine.ts';
import { exponentOf, INTEGER_BIT, type Number80, SIGN } from './registers.ts';

/** An exact result before it is rounded. */
export interface Exact {
  /** i64, leading bit set; zero when the result is zero */
  readonly significand: Local;
  /** i64: what follows the significand */
  readonly rest: Local;
  /** i32, biased; may be out of range */
  readonly exponent: Local;
  /** i32, SIGN or 0 */
  readonly sign: Local;
}

const LOW = 0xffff_ffffn;

export function newExact(b: Routine): Exact {
  return {
    significand: b.local('i64'),
    rest: b.local('i64'),
    exponent: b.local('i32'),
    sign: b.local('i32'),
  };
}

/** x + y, signs included. */
export function sum(b: Routine, x: Number80, y: Number80, to: Exact): void {
  const [ex, ey] = [exponentOf(b, x), exponentOf(b, y)];
  const isXLarger = b.or(
    b.gtU(ex, ey),
    b.and(b.eq(ex, ey), b.eqz(b.ltU(x.significand, y.significand))),
  );
  const large = b.select(isXLarger, x.significand, y.significand);
  const small = b.select(isXLarger, y.significand, x.significand);
  const sign = b.and(b.select(isXLarger, x.high, y.high), b.i32(SIGN));
  const exponent = b.select(isXLarger, ex, ey);
  const distance = b.sub(exponent, b.select(isXLarger, ey, ex));
  const wide = b.widen(distance);
  b.set(to.sign, sign);
  const shifted = b.local('i64');
  const rest = b.local('i64');
  b.if(
    b.ltU(distance, b.i32(64)),
    () => {
      b.set(shifted, b.shrU(small, wide));
      b.set(rest, b.select(distance, b.shl(small, b.sub(b.i64(64), wide)), b.i64(0)));
    },
    () => {
      b.set(shifted, b.i64(0));
      b.set(rest, b.i64(1));
      b.if(b.ltU(distance, b.i32(128)), () => {
        const dropped = b.shl(small, b.sub(b.i64(128), wide));
        const jam = b.and(b.ne(distance, b.i32(64)), b.nez(dropped));
        b.set(rest, b.or(b.shrU(small, b.sub(wide, b.i64(64))), b.widen(jam)));
      });
    },
  );
  b.if(
    b.and(b.xor(x.high, y.high), b.i32(SIGN)),
    () => difference(b, large, b.get(shifted), b.get(rest), exponent, to),
    () => total(b, large, b.get(shifted), b.get(rest), exponent, to),
  );
}

function total(b: Routine, large: Value, small: Value, rest: Value, exponent: Value, to: Exact) {
  const added = b.add(large, small);
  b.if(
    b.ltU(added, large),
    () => {
      b.set(to.significand, b.or(b.shrU(added, b.i64(1)), b.i64(INTEGER_BIT)));
      const jammed = b.or(b.shrU(rest, b.i64(1)), b.and(rest, b.i64(1)));
      b.set(to.rest, b.or(jammed, b.shl(added, b.i64(63))));
      b.set(to.exponent, b.add(exponent, b.i32(1)));
    },
    () => {
      b.set(to.significand, added);
      b.set(to.rest, rest);
      b.set(to.exponent, exponent);
    },
  );
}

function difference(
  b: Routine,
  large: Value,
  small: Value,
  rest: Value,
  exponent: Value,
  to: Exact,
) {
  const low = b.neg(rest);
  const high = b.sub(b.sub(large, small), b.widen(b.nez(rest)));
  b.if(
    b.eqz(high),
    () => {
      const count = b.pure('i64.clz', low);
      b.set(to.significand, b.shl(low, count));
      b.set(to.rest, b.i64(0));
      b.set(to.exponent, b.sub(b.sub(exponent, b.i32(64)), b.wrap(count)));
    },
    () => {
      const count = b.pure('i64.clz', high);
      const carried = b.shrU(low, b.sub(b.i64(64), count));
      const into = b.select(b.nez(count), carried, b.i64(0));
      b.set(to.significand, b.or(b.shl(high, count), into));
      b.set(to.rest, b.shl(low, count));
      b.set(to.exponent, b.sub(exponent, b.wrap(count)));
    },
  );
}

/** The 128 bits of x × y. */
function multiply(b: Routine, x: Value, y: Value): { high: Value; low: Value } {
  const [x0, x1] = [b.and(x, b.i64(LOW)), b.shrU(x, b.i64(32))];
  const [y0, y1] = [b.and(y, b.i64(LOW)), b.shrU(y, b.i64(32))];
  const low = b.mul(x0, y0);
  const cross = b.add(b.mul(x1, y0), b.shrU(low, b.i64(32)));
  const middle = b.add(b.mul(x0, y1), b.and(cross, b.i64(LOW)));
  const high = b.add(b.add(b.mul(x1, y1), b.shrU(cross, b.i64(32))), b.shrU(middle, b.i64(32)));
  return { high, low: b.or(b.shl(middle, b.i64(32)), b.and(low, b.i64(LOW))) };
}

export function product(b: Routine, x: Number80, y: Number80, to: Exact): void {
  const { high, low } = multiply(b, x.significand, y.significand);
  const exponent = b.sub(b.add(exponentOf(b, x), exponentOf(b, y)), b.i32(0x3ffe));
  b.set(to.sign, b.and(b.xor(x.high, y.high), b.i32(SIGN)));
  b.if(
    b.ltS(high, b.i64(0)),
    () => {
      b.set(to.significand, high);
      b.set(to.rest, low);
      b.set(to.exponent, exponent);
    },
    () => {
      b.set(to.significand, b.or(b.shl(high, b.i64(1)), b.shrU(low, b.i64(63))));
      b.set(to.rest, b.shl(low, b.i64(1)));
      b.set(to.exponent, b.sub(exponent, b.i32(1)));
    },
  );
}

/** x / y: two digits of 32 bits by long division (Knuth, vol. 2, 4.3.1, algorithm D). */
export function quotient(b: Routine, x: Number80, y: Number80, to: Exact): void {
  const divisor = y.significand;
  // The dividend is halved when it is not below the divisor, so that the quotient has 64 bits.
  const halved = b.eqz(b.ltU(x.significand, divisor));
  const upper = b.shrU(x.significand, b.widen(halved));
  const lower = b.select(halved, b.shl(x.significand, b.i64(63)), b.i64(0));
  const [v1, v0] = [b.shrU(divisor, b.i64(32)), b.and(divisor, b.i64(LOW))];

  /** The next digit of (high, 32 bits of `next`) / divisor, and what remains. */
  const digit = (high: Value, next: Value): { digit: Value; remainder: Value } => {
    const guess = b.variable(b.pure('i64.div_u', high, v1));
    const left = b.variable(b.sub(high, b.mul(b.get(guess), v1)));
    const tooLarge = (): Value =>
      b.or(
        b.gtU(b.get(guess), b.i64(LOW)),
        b.gtU(b.mul(b.get(guess), v0), b.or(b.shl(b.get(left), b.i64(32)), next)),
      );
    const lessen = (): void => {
      b.set(guess, b.sub(b.get(guess), b.i64(1)));
      b.set(left, b.add(b.get(left), v1));
    };
    b.if(tooLarge(), () => {
      lessen();
      b.if(b.and(b.leU(b.get(left), b.i64(LOW)), tooLarge()), lessen);
    });
    const found = b.get(guess);
    const whole = b.or(b.shl(high, b.i64(32)), next);
    return { digit: found, remainder: b.sub(whole, b.mul(found, divisor)) };
  };
  const first = digit(upper, b.shrU(lower, b.i64(32)));
  const second = digit(first.remainder, b.and(lower, b.i64(LOW)));
  b.set(to.significand, b.add(b.shl(first.digit, b.i64(32)), second.digit));
  const { remainder } = second;
  setRest(b, to, remainder, b.sub(divisor, remainder));
  b.set(to.sign, b.and(b.xor(x.high, y.high), b.i32(SIGN)));
  const bias = b.add(b.i32(0x3ffe), halved);
  b.set(to.exponent, b.add(b.sub(exponentOf(b, x), exponentOf(b, y)), bias));
}

/** The rest of a result whose error is `below`, with `above` to the next number; nothing, half, less or more. */
function setRest(b: Routine, to: Exact, below: Value, above: Value): void {
  const more = b.select(b.gtU(below, above), b.i64(3n << 62n), b.i64(1));
  const rest = b.select(b.eq(below, above), b.i64(INTEGER_BIT), more);
  b.set(to.rest, b.select(b.nez(below), rest, b.i64(0)));
}

/** The square root of a positive number: the host's, of 53 bits, one step of Newton's, and a correction. */
export function root(b: Routine, x: Number80, to: Exact): void {
  const exponent = b.sub(exponentOf(b, x), b.i32(0x3fff));
  const odd = b.and(exponent, b.i32(1));
  // radicand × 2^126 to 2^128, in two halves
  const upper = b.select(odd, x.significand, b.shrU(x.significand, b.i64(1)));
  const lower = b.select(odd, b.i64(0), b.shl(x.significand, b.i64(63)));
  // Half of it, so that it fits a signed integer.
  const double = (value: Value): Value => b.pure('f64.convert_i64_s', value);
  const float = (bits: bigint): Value => b.pure('f64.reinterpret_i64', b.i64(bits));
  const estimate = b.pure('f64.sqrt', double(b.shrU(upper, b.i64(2))));
  const half = b.pure('f64.mul', estimate, float(0x41f0n << 48n)); // 2^32
  const found = b.variable(b.shl(b.pure('i64.trunc_sat_f64_s', half), b.i64(1)));
  // 2^16 over the divisor of the step; this division goes on beside the multiplications.
  const inverse = b.variable(b.pure('f64.div', float(0x40d0n << 48n), half));

  /** radicand - found², signed, in two halves */
  const error = (): { high: Value; low: Value } => {
    const square = multiply(b, b.get(found), b.get(found));
    const borrow = b.widen(b.ltU(lower, square.low));
    return {
      high: b.sub(b.sub(upper, square.high), borrow),
      low: b.sub(lower, square.low),
    };
  };
  const first = error();
  // The error is below 2^77: its middle 64 bits, over half the divisor.
  const middle = b.or(b.shl(first.high, b.i64(48)), b.shrU(first.low, b.i64(16)));
  const step = b.pure('f64.mul', double(middle), b.get(inverse));
  // Rounded down, it leaves a root that is hardly ever too large.
  const down = b.pure('i64.trunc_sat_f64_s', b.pure('f64.floor', step));
  b.set(found, b.add(b.get(found), down));

  const last = error();
  const [high, low] = [b.variable(last.high), b.variable(last.low)];
  // Too large: the error of found - 1 is 2 × found - 1 more.
  const isLarge = (): Value => b.ltS(b.get(high), b.i64(0));
  whileTrue(b, isLarge, () => {
    b.set(found, b.sub(b.get(found), b.i64(1)));
    addTwice(b, high, low, b.get(found), 1n);
  });
  // Too small while the error is above 2 × found.
  const isSmall = (): Value => {
    const [twice, top] = [b.shl(b.get(found), b.i64(1)), b.shrU(b.get(found), b.i64(63))];
    const equal = b.and(b.eq(b.get(high), top), b.gtU(b.get(low), twice));
    return b.or(b.gtU(b.get(high), top), equal);
  };
  whileTrue(b, isSmall, () => {
    subtractTwice(b, high, low, b.get(found));
    b.set(found, b.add(b.get(found), b.i64(1)));
  });
  b.set(to.significand, b.get(found));
  // Halfway lies at an error of found + 1/4: never met.
  const more = b.or(b.nez(b.get(high)), b.gtU(b.get(low), b.get(found)));
  const some = b.nez(b.or(b.get(high), b.get(low)));
  const rest = b.select(more, b.i64(3n << 62n), b.i64(1));
  b.set(to.rest, b.select(some, rest, b.i64(0)));
  b.set(to.sign, b.i32(0));
  b.set(to.exponent, b.add(b.shrS(exponent, b.i32(1)), b.i32(0x3fff)));
}

/** Runs `body` as long as `condition` holds. */
function whileTrue(b: Routine, condition: () => Value, body: () => void): void {
  b.if(condition(), () =>
    b.loop(() => {
      body();
      return condition();
    }),
  );
}

/** (high, low) += 2 × value + one */
function addTwice(b: Routine, high: Local, low: Local, value: Value, one: bigint): void {
  const addend = b.or(b.shl(value, b.i64(1)), b.i64(one));
  const added = b.add(b.get(low), addend);
  const carry = b.widen(b.ltU(added, addend));
  b.set(high, b.add(b.get(high), b.add(b.shrU(value, b.i64(63)), carry)));
  b.set(low, added);
}

/** (high, low) -= 2 × value + 1 */
function subtractTwice(b: Routine, high: Local, low: Local, value: Value): void {
  const less = b.or(b.shl(value, b.i64(1)), b.i64(1));
  const borrow = b.widen(b.ltU(b.get(low), less));
  b.set(high, b.sub(b.sub(b.get(high), b.shrU(value, b.i64(63))), borrow));
  b.set(low, b.sub(b.get(low), less));
}

/** Whether and how rounding changed a result, i32 0 or 1 each. */
export interface Rounded {
  readonly inexact: Local;
  readonly up: Local;
}

/** Rounds to nearest, ties to even, to 64 bits when `extended`, else to 53. Changes significand and exponent. */
export function roundToNearest(b: Routine, exact: Exact, extended: Value): Rounded {
  const inexact = b.local('i32');
  const up = b.local('i32');
  const value = b.get(exact.significand);
  const rest = b.get(exact.rest);
  const whole = b.local('i64');
  b.if(
    extended,
    () => {
      const tie = b.and(b.eq(rest, b.i64(INTEGER_BIT)), b.and(b.wrap(value), b.i32(1)));
      const away = b.or(b.gtU(rest, b.i64(INTEGER_BIT)), tie);
      b.set(inexact, b.nez(rest));
      b.set(up, away);
      b.set(whole, b.add(value, b.widen(away)));
    },
    () => {
      const below = b.and(value, b.i64(0x7ff));
      const odd = b.and(b.wrap(b.shrU(value, b.i64(11))), b.i32(1));
      const tie = b.and(b.eq(below, b.i64(0x400)), b.or(b.nez(rest), odd));
      const away = b.or(b.gtU(below, b.i64(0x400)), tie);
      b.set(inexact, b.nez(b.or(below, rest)));
      b.set(up, away);
      const kept = b.and(value, b.i64(~0x7ffn));
      b.set(whole, b.add(kept, b.shl(b.widen(away), b.i64(11))));
    },
  );
  const carried = b.eqz(b.get(whole));
  b.set(exact.significand, b.select(carried, b.i64(INTEGER_BIT), b.get(whole)));
  b.set(exact.exponent, b.add(b.get(exact.exponent), carried));
  return { inexact, up };
}
