import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';
import {
  asFloat,
  bitsOf,
  carefulLanes,
  denormalLanes,
  type FloatWidth,
  fastOrCareful,
  floatShape,
  nanLanes,
  narrow,
  noLane,
  notDenormal,
  notNan,
  putScratch,
  SECOND,
  scalarFact,
  twice,
} from './sse-careful.ts';
import { writeScalar } from './sse-float.ts';
import { halves, sse, threeOperands, writeHalves } from './sse-shared.ts';
import { byteImmediate } from './sse-shuffle.ts';

/** CMPPS and kin, COMISS, UCOMISS. SDM Vol. 2A "CMPPS", "COMISS"; Vol. 2B "UCOMISS". */

/**
 * For numbers that are no NaN, predicates repeat every eight: EQ LT LE false NEQ NLT NLE true, one nibble
 * each with bits less 1, equal 2, greater 4.
 */
const ORDERED_TRUTH = 0x7465_0312;

/** The relations (less 1, equal 2, greater 4) that make the predicate true. */
function truthOf(b: Semantics, predicate: Value): Value {
  const nibble = b.shl(b.and(predicate, b.i32(7)), b.i32(2));
  return b.and(b.shrU(b.i32(ORDERED_TRUTH), nibble), b.i32(7));
}

/** Predicate of the immediate: three bits for legacy encodings, five for VEX. */
function predicateOf(b: Semantics, immediate: Operand): Value {
  const bits = b.shape.vectorLength === undefined ? 7 : 31;
  return b.and(byteImmediate(b, immediate), b.i32(bits));
}

/** No NaN and no denormal among two scalars. */
function ordinary(b: Semantics, width: FloatWidth, left: Value, right: Value): Value {
  const [x, y] = [left, right].map((bits) => twice(b, width, bits)) as [Value, Value];
  const normals = b.and(notDenormal(b, width, x), notDenormal(b, width, y));
  return b.and(normals, b.and(notNan(b, width, x), notNan(b, width, y)));
}

/** CMPSS, CMPSD: all ones or zeros in the low element. */
export function compareScalar(width: FloatWidth) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right, rest } = threeOperands(b, operands);
    const predicate = predicateOf(b, rest[0] as Operand);
    const x = narrow(b, width, left.readElement(width));
    const y = narrow(b, width, right.readElement(width));
    const [fx, fy] = [asFloat(b, width, x), asFloat(b, width, y)];
    const less = b.pure(`f${width}.lt`, fx, fy);
    const equal = b.pure(`f${width}.eq`, fx, fy);
    const found = b.select(less, b.i32(1), b.select(equal, b.i32(2), b.i32(4)));
    const holds = b.and(truthOf(b, predicate), found);
    const result = b.select(holds, bitsOf(b, width, -1n), bitsOf(b, width, 0n));
    const [value] = fastOrCareful(b, ordinary(b, width, x, y), [result], [x], [y], () =>
      carefulLanes(b, 'compare', width, 1, predicate),
    );
    writeScalar(b, destination, left, width, value as Value);
  };
}

/** CMPPS, CMPPD. */
export function comparePacked(width: FloatWidth) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right, rest } = threeOperands(b, operands);
    const predicate = predicateOf(b, rest[0] as Operand);
    const truth = truthOf(b, predicate);
    const wanted = (bit: number): Value => {
      const chosen = b.neg(b.and(b.shrU(truth, b.i32(bit)), b.i32(1)));
      return b.pure('i32x4.splat', chosen);
    };
    const masks = [wanted(0), wanted(1), wanted(2)] as const;
    const x = halves(b).map((at) => left.readVector(at));
    const y = halves(b).map((at) => right.readVector(at));
    const results = x.map((vector, i) => {
      const other = y[i] as Value;
      const relations = ['lt', 'eq', 'gt'].map((op, k) =>
        b.pure('v128.and', b.pure(`${floatShape(width)}.${op}`, vector, other), masks[k] as Value),
      );
      return relations.reduce((p, q) => b.pure('v128.or', p, q));
    });
    const bad = [...x, ...y].flatMap((vector) => [
      denormalLanes(b, width, vector),
      nanLanes(b, width, vector),
    ]);
    const lanes = (x.length * 128) / width;
    const values = fastOrCareful(b, noLane(b, ...bad), results, x, y, () =>
      carefulLanes(b, 'compare', width, lanes, predicate),
    );
    writeHalves(b, destination, values);
  };
}

/** COMISS (`signalsQuiet`), UCOMISS: ZF, PF, CF tell the relation; OF, SF, AF are cleared. */
export function compareFlags(width: FloatWidth, signalsQuiet: boolean) {
  return (b: Semantics, [first, second]: readonly Operand[]): void => {
    const x = narrow(b, width, (first as Operand).readElement(width));
    const y = narrow(b, width, (second as Operand).readElement(width));
    const fast = (): void => {
      const [fx, fy] = [asFloat(b, width, x), asFloat(b, width, y)];
      b.setZeroFrom(b.widen(b.pure(`f${width}.ne`, fx, fy)));
      b.setCarry(b.pure(`f${width}.lt`, fx, fy));
      // A positive value of odd parity: SF = PF = 0.
      b.writeField(STATE.flagS, b.i64(1));
      b.setOverflowSign(b.i64(0));
      b.setAdjustBit4(b.i64(0));
    };
    const careful = (): void => {
      putScratch(b, 0, x);
      putScratch(b, SECOND, y);
      b.helper('floatCompareFlags', b.i32(width), b.i32(signalsQuiet ? 1 : 0));
    };
    if (!b.helpersLeave) {
      b.if(ordinary(b, width, x, y), fast, careful);
      return;
    }
    const fact = scalarFact(width);
    const tests = [first as Operand, second as Operand].flatMap((operand, i) => {
      if (b.knows(operand, fact)) return [];
      const doubled = twice(b, width, i === 0 ? x : y);
      return [notDenormal(b, width, doubled), notNan(b, width, doubled)];
    });
    b.guard(tests, careful);
    fast();
    b.learn(first as Operand, fact);
    b.learn(second as Operand, fact);
  };
}

export const sseCompareInstructions: readonly Instruction[] = [
  define('cmpps', [sse('NP 0F C2 /r ib', 'Vx Wx Ib', 'sse', 'aligned')], comparePacked(32)),
  define('cmppd', [sse('66 0F C2 /r ib', 'Vx Wx Ib', 'sse2', 'aligned')], comparePacked(64)),
  define('cmpss', [sse('F3 0F C2 /r ib', 'Vss Wss Ib', 'sse')], compareScalar(32)),
  define('cmpsd', [sse('F2 0F C2 /r ib', 'Vsd Wsd Ib', 'sse2')], compareScalar(64)),
  define('ucomiss', [sse('NP 0F 2E /r', 'Vss Wss', 'sse')], compareFlags(32, false)),
  define('ucomisd', [sse('66 0F 2E /r', 'Vsd Wsd', 'sse2')], compareFlags(64, false)),
  define('comiss', [sse('NP 0F 2F /r', 'Vss Wss', 'sse')], compareFlags(32, true)),
  define('comisd', [sse('66 0F 2F /r', 'Vsd Wsd', 'sse2')], compareFlags(64, true)),
];
