/**
 * The usual cases of the usual x87 instructions: operands that are zero or normal numbers, results that are
 * too, nothing to report but an inexact result. Each gives 1 when it has done the instruction (stack and
 * status word included), and 0, with nothing changed, when the helper in TypeScript must.
 */
import type { Type, Value } from '../../../ir/mod.ts';
import type { Helper } from '../../cpu.ts';
import type { Routine } from '../../routine.ts';
import { STATE } from '../../state.ts';
import { FPU_C0, FPU_C3, FPU_CONDITIONS } from '../words.ts';
import {
  type Exact,
  newExact,
  product,
  quotient,
  root,
  roundToNearest,
  sum,
} from './arithmetic.ts';
import { fromMemory, toMemory } from './memory.ts';
import {
  exponentOf,
  fits,
  isNormal,
  isZero,
  type Number80,
  QuickFpu,
  SIGN,
  type Variable80,
} from './registers.ts';

/** Flags of the arithmetic routines. */
export const QUICK_NEGATE_RIGHT = 1;
export const QUICK_NEGATE_LEFT = 2;
export const QUICK_REVERSE = 1;
export const QUICK_POP = 4;

function quick(params: readonly Type[], routine: (b: Routine) => void): Helper {
  return { params, result: 'i32', routine, run: () => 0 };
}

/** Runs `then` when `condition` holds, with the result 1. */
function when(b: Routine, condition: Value, then: () => void): void {
  b.if(condition, () => {
    b.set(b.result, b.i32(1));
    then();
  });
}

type Operation = (b: Routine, fpu: QuickFpu, x: Number80, y: Number80, flags: Value) => Outcome;

/** A result in variables; `good` is 1 when it counts. */
interface Outcome extends Variable80 {
  readonly good: Value;
  readonly inexact: Value;
  readonly up: Value;
}

/** Rounds `exact` and packs it when it is in range. */
function finish(b: Routine, fpu: QuickFpu, exact: Exact, to: Variable80) {
  // A result that is tiny before it is rounded is none of ours.
  const notTiny = b.pure('i32.ge_s', b.get(exact.exponent), b.i32(1));
  const { inexact, up } = roundToNearest(b, exact, fpu.isExtended);
  b.set(to.significand, b.get(exact.significand));
  b.set(to.high, b.or(b.get(exact.sign), b.get(exact.exponent)));
  return {
    good: b.and(notTiny, fits(b, b.get(exact.exponent))),
    inexact: b.get(inexact),
    up: b.get(up),
  };
}

/** What all operations of two numbers share: `normal` computes, `zero` decides when one of them is zero. */
function binary(
  normal: (b: Routine, x: Number80, y: Number80, flags: Value, to: Exact) => void,
  zero: (b: Routine, fpu: QuickFpu, x: Number80, y: Number80, to: Variable80) => Value,
  prepare: (b: Routine, x: Number80, y: Number80, flags: Value) => [Number80, Number80],
): Operation {
  return (b, fpu, first, second, flags) => {
    const to = { significand: b.local('i64'), high: b.local('i32') };
    const good = b.local('i32');
    const inexact = b.local('i32');
    const up = b.local('i32');
    b.set(inexact, b.i32(0));
    b.set(up, b.i32(0));
    const [x, y] = prepare(b, first, second, flags);
    b.if(
      b.and(isNormal(b, x), isNormal(b, y)),
      () => {
        const exact = newExact(b);
        normal(b, x, y, flags, exact);
        b.if(
          b.nez(b.get(exact.significand)),
          () => {
            const rounded = finish(b, fpu, exact, to);
            b.set(good, rounded.good);
            b.set(inexact, rounded.inexact);
            b.set(up, rounded.up);
          },
          () => {
            // An exact difference of zero is positive.
            b.set(to.significand, b.i64(0));
            b.set(to.high, b.i32(0));
            b.set(good, b.i32(1));
          },
        );
      },
      () => b.set(good, zero(b, fpu, x, y, to)),
    );
    return { ...to, good: b.get(good), inexact: b.get(inexact), up: b.get(up) };
  };
}

const add = binary(
  (b, x, y, _flags, to) => sum(b, x, y, to),
  (b, fpu, x, y, to) => {
    // The other one, as it is: when precision is 64 bits.
    const isLeft = isZero(b, y);
    b.set(to.significand, b.select(isLeft, x.significand, y.significand));
    b.set(to.high, b.select(isLeft, x.high, y.high));
    const left = b.and(isLeft, isNormal(b, x));
    return b.and(fpu.isExtended, b.or(left, b.and(isZero(b, x), isNormal(b, y))));
  },
  (b, x, y, flags) => {
    const signed = (value: Number80, flag: number, shift: number): Number80 => ({
      significand: value.significand,
      high: b.xor(value.high, b.shl(b.and(flags, b.i32(flag)), b.i32(shift))),
    });
    return [signed(x, QUICK_NEGATE_LEFT, 14), signed(y, QUICK_NEGATE_RIGHT, 15)];
  },
);

const isOrdinary = (b: Routine, x: Number80): Value => b.or(isZero(b, x), isNormal(b, x));

const multiply = binary(
  (b, x, y, _flags, to) => product(b, x, y, to),
  (b, _fpu, x, y, to) => {
    b.set(to.significand, b.i64(0));
    b.set(to.high, b.and(b.xor(x.high, y.high), b.i32(SIGN)));
    return b.and(isOrdinary(b, x), isOrdinary(b, y));
  },
  (_b, x, y) => [x, y],
);

const divide = binary(
  (b, x, y, _flags, to) => quotient(b, x, y, to),
  (b, _fpu, x, y, to) => {
    b.set(to.significand, b.i64(0));
    b.set(to.high, b.and(b.xor(x.high, y.high), b.i32(SIGN)));
    return b.and(isZero(b, x), isNormal(b, y));
  },
  (b, x, y, flags) => {
    const reverse = b.and(flags, b.i32(QUICK_REVERSE));
    const choose = (from: Number80, to: Number80): Number80 => ({
      significand: b.select(reverse, from.significand, to.significand),
      high: b.select(reverse, from.high, to.high),
    });
    return [choose(y, x), choose(x, y)];
  },
);

const POP_SHIFT = 2;

/** (destination, source, flags): ST(destination) op ST(source). */
function overRegisters(operation: Operation): Helper {
  return quick(['i32', 'i32', 'i32'], (b) => {
    const fpu = new QuickFpu(b);
    const [destination, source, flags] = [b.param(0), b.param(1), b.param(2)];
    const full = b.and(fpu.holds(destination), fpu.holds(source));
    b.if(b.and(full, b.and(fpu.quiet, fpu.roundsToNearest)), () => {
      const x = fpu.read(destination);
      const y = fpu.read(source);
      const result = operation(b, fpu, x, y, flags);
      when(b, result.good, () => {
        store(b, fpu, destination, result);
        fpu.pop(b.shrU(flags, b.i32(POP_SHIFT)));
      });
    });
  });
}

/** (kind, bits, flags): ST(0) op memory operand. */
function overMemory(operation: Operation): Helper {
  return quick(['i32', 'i64', 'i32'], (b) => {
    const fpu = new QuickFpu(b);
    const top = b.i32(0);
    b.if(b.and(fpu.holds(top), b.and(fpu.quiet, fpu.roundsToNearest)), () => {
      const { number, good } = fromMemory(b, b.param(0), b.param(1));
      b.if(b.get(good), () => {
        const y = { significand: b.get(number.significand), high: b.get(number.high) };
        const result = operation(b, fpu, fpu.read(top), y, b.param(2));
        when(b, result.good, () => store(b, fpu, top, result));
      });
    });
  });
}

function store(b: Routine, fpu: QuickFpu, destination: Value, result: Outcome): void {
  const [significand, high] = [b.get(result.significand), b.get(result.high)];
  fpu.write(destination, { significand, high });
  fpu.setStatus(fpu.rounded(result.inexact, result.up));
}

const squareRoot = quick([], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  b.if(b.and(fpu.holds(top), b.and(fpu.quiet, fpu.roundsToNearest)), () => {
    const x = fpu.read(top);
    b.if(b.and(isNormal(b, x), b.eqz(b.and(x.high, b.i32(SIGN)))), () => {
      const exact = newExact(b);
      root(b, x, exact);
      const to = { significand: b.local('i64'), high: b.local('i32') };
      const rounded = finish(b, fpu, exact, to);
      when(b, rounded.good, () => store(b, fpu, top, { ...to, ...rounded }));
    });
  });
});

// --- moves

/** (kind, bits): FLD, FILD. */
const load = quick(['i32', 'i64'], (b) => {
  const fpu = new QuickFpu(b);
  b.if(b.and(fpu.hasRoom, fpu.quiet), () => {
    const { number, good } = fromMemory(b, b.param(0), b.param(1));
    when(b, b.get(good), () => {
      fpu.push({ significand: b.get(number.significand), high: b.get(number.high) });
      fpu.clearC1();
    });
  });
});

/** (significand, high, exact): pushes a number as it is; one that is not exact when rounding is to nearest. */
const push = quick(['i64', 'i32', 'i32'], (b) => {
  const fpu = new QuickFpu(b);
  const nearest = b.eqz(b.and(fpu.control, b.i32(0xc00)));
  const ready = b.and(b.and(fpu.hasRoom, fpu.quiet), b.or(b.param(2), nearest));
  when(b, ready, () => {
    fpu.push({ significand: b.param(0), high: b.param(1) });
    fpu.clearC1();
  });
});

/** (index): FLD ST(index). */
const loadRegister = quick(['i32'], (b) => {
  const fpu = new QuickFpu(b);
  when(b, b.and(b.and(fpu.hasRoom, fpu.quiet), fpu.holds(b.param(0))), () => {
    fpu.push(fpu.read(b.param(0)));
    fpu.clearC1();
  });
});

/**
 * (kind): looks at what a store of ST(0) writes. The bits are left in STATE.scratch, the status word behind
 * them; nothing else is changed.
 */
const storing = quick(['i32'], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  const mode = b.and(fpu.control, b.i32(0xc20));
  const truncates = b.eq(mode, b.i32(0xc20));
  const known = b.or(b.eq(mode, b.i32(0x20)), truncates);
  b.if(b.and(b.and(fpu.holds(top), fpu.quiet), known), () => {
    const stored = toMemory(b, b.param(0), fpu.read(top), truncates);
    when(b, b.get(stored.good), () => {
      b.writeFixed(STATE.scratch, 'i64', b.get(stored.bits));
      const status = fpu.rounded(b.get(stored.inexact), b.get(stored.up));
      b.writeFixed(STATE.scratch + 8, 'i32', status);
    });
  });
});

/** The same for FSTP m80: significand, status word, sign and exponent. */
const storing80 = quick([], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  when(b, b.and(fpu.holds(top), fpu.quiet), () => {
    const { significand, high } = fpu.read(top);
    b.writeFixed(STATE.scratch, 'i64', significand);
    b.writeFixed(STATE.scratch + 8, 'i32', fpu.rounded(b.i32(0), b.i32(0)));
    b.writeFixed(STATE.scratch + 16, 'i64', b.widen(high));
  });
});

/** (index, pops): FST ST(index). */
const storeRegister = quick(['i32', 'i32'], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  when(b, b.and(fpu.holds(top), fpu.quiet), () => {
    fpu.write(b.param(0), fpu.read(top));
    fpu.fill(b.param(0));
    fpu.clearC1();
    fpu.pop(b.param(1));
  });
});

/** (index): FXCH. */
const exchange = quick(['i32'], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  when(b, b.and(b.and(fpu.holds(top), fpu.holds(b.param(0))), fpu.quiet), () => {
    const first = fpu.read(top);
    const second = fpu.read(b.param(0));
    fpu.write(top, second);
    fpu.write(b.param(0), first);
    fpu.clearC1();
  });
});

/** (absolute): FABS, or FCHS. */
const changeSign = quick(['i32'], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  when(b, b.and(fpu.holds(top), fpu.quiet), () => {
    const { significand, high } = fpu.read(top);
    const turned = b.xor(high, b.i32(SIGN));
    const positive = b.and(high, b.i32(SIGN - 1));
    fpu.write(top, { significand, high: b.select(b.param(0), positive, turned) });
    fpu.clearC1();
  });
});

/** (condition, index): FCMOVcc. */
const moveIf = quick(['i32', 'i32'], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  when(b, b.and(b.and(fpu.holds(top), fpu.holds(b.param(1))), fpu.quiet), () => {
    b.if(b.param(0), () => fpu.write(top, fpu.read(b.param(1))));
  });
});

// --- comparison

/** Whether x is less than y, and whether they are equal: i32 0 or 1. Both are zero or normal. */
function compare(b: Routine, x: Number80, y: Number80): { less: Value; equal: Value } {
  const [ex, ey] = [exponentOf(b, x), exponentOf(b, y)];
  const sameExponent = b.eq(ex, ey);
  const sameMagnitude = b.and(sameExponent, b.eq(x.significand, y.significand));
  const smaller = b.or(b.ltU(ex, ey), b.and(sameExponent, b.ltU(x.significand, y.significand)));
  const bothZero = b.and(isZero(b, x), isZero(b, y));
  const negative = b.shrU(x.high, b.i32(15));
  const differ = b.shrU(b.xor(x.high, y.high), b.i32(15));
  const larger = b.eqz(b.or(smaller, sameMagnitude));
  const sameSign = b.select(negative, larger, smaller);
  return {
    less: b.and(b.select(differ, negative, sameSign), b.eqz(bothZero)),
    equal: b.or(bothZero, b.and(b.eqz(differ), sameMagnitude)),
  };
}

function settleComparison(b: Routine, fpu: QuickFpu, x: Number80, y: Number80): void {
  const { less, equal } = compare(b, x, y);
  const conditions = b.or(b.mul(less, b.i32(FPU_C0)), b.mul(equal, b.i32(FPU_C3)));
  fpu.setStatus(b.or(b.and(fpu.status, b.i32(~FPU_CONDITIONS & 0xffff)), conditions));
}

/** (index, pops): FCOM, FUCOM. */
const compareRegisters = quick(['i32', 'i32'], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  b.if(b.and(b.and(fpu.holds(top), fpu.holds(b.param(0))), fpu.quiet), () => {
    const [x, y] = [fpu.read(top), fpu.read(b.param(0))];
    when(b, b.and(isOrdinary(b, x), isOrdinary(b, y)), () => {
      settleComparison(b, fpu, x, y);
      fpu.pop(b.param(1));
    });
  });
});

/** (kind, bits, pops): FCOM, FICOM with memory; FTST as a comparison with the integer zero. */
const compareMemory = quick(['i32', 'i64', 'i32'], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  b.if(b.and(fpu.holds(top), fpu.quiet), () => {
    const { number, good } = fromMemory(b, b.param(0), b.param(1));
    const x = fpu.read(top);
    when(b, b.and(b.get(good), isOrdinary(b, x)), () => {
      const y = { significand: b.get(number.significand), high: b.get(number.high) };
      settleComparison(b, fpu, x, y);
      fpu.pop(b.param(2));
    });
  });
});

/** Bits of the result of `compareFlags`. */
export const QUICK_LESS = 2;
export const QUICK_EQUAL = 4;

/** (index, pops): FCOMI, FUCOMI. The result tells the relation. */
const compareFlags = quick(['i32', 'i32'], (b) => {
  const fpu = new QuickFpu(b);
  const top = b.i32(0);
  b.if(b.and(b.and(fpu.holds(top), fpu.holds(b.param(0))), fpu.quiet), () => {
    const [x, y] = [fpu.read(top), fpu.read(b.param(0))];
    b.if(b.and(isOrdinary(b, x), isOrdinary(b, y)), () => {
      const { less, equal } = compare(b, x, y);
      const relation = b.or(b.shl(less, b.i32(1)), b.shl(equal, b.i32(2)));
      b.set(b.result, b.or(relation, b.i32(1)));
      fpu.pop(b.param(1));
    });
  });
});

export const quickHelpers: Record<string, Helper> = {
  x87QuickAdd: overRegisters(add),
  x87QuickMultiply: overRegisters(multiply),
  x87QuickDivide: overRegisters(divide),
  x87QuickAddMemory: overMemory(add),
  x87QuickMultiplyMemory: overMemory(multiply),
  x87QuickDivideMemory: overMemory(divide),
  x87QuickRoot: squareRoot,
  x87QuickLoad: load,
  x87QuickPush: push,
  x87QuickLoadRegister: loadRegister,
  x87QuickStoring: storing,
  x87QuickStoring80: storing80,
  x87QuickStoreRegister: storeRegister,
  x87QuickExchange: exchange,
  x87QuickSign: changeSign,
  x87QuickMoveIf: moveIf,
  x87QuickCompare: compareRegisters,
  x87QuickCompareMemory: compareMemory,
  x87QuickCompareFlags: compareFlags,
};
