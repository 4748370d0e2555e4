import type { Value } from '../../ir/mod.ts';
import type { FloatOperation } from '../float/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import {
  asBits,
  asFloat,
  bitsOf,
  carefulLanes,
  denormalLanes,
  element,
  type FloatWidth,
  fastOrCareful,
  floatShape,
  hostRounds,
  nanLanes,
  narrow,
  noLane,
  normal,
  notDenormal,
  notFiniteLanes,
  notNan,
  notWellNormalLanes,
  packedFacts,
  quicklyNormal,
  quicklyNormalLanes,
  roundsToNearest,
  scalarFact,
  twice,
  wellNormal,
  zeroLanes,
} from './sse-careful.ts';
import { replaceLow } from './sse-move.ts';
import {
  constant,
  halves,
  lanePattern,
  shuffle,
  sse,
  threeOperands,
  writeHalves,
} from './sse-shared.ts';

/**
 * ADD, SUB, MUL, DIV, SQRT, MIN, MAX of scalar and packed singles and doubles, horizontal and alternating
 * addition. SDM Vol. 2A "ADDPD" and neighbours; exceptions: Vol. 1, 11.5.
 */

type Exact = (b: Semantics, width: FloatWidth, left: Value, right: Value, result: Value) => Value;

/** Fast result of one operation, and when it is good: bits in, bits out. */
interface ScalarRule {
  /** rounds its result, so that MXCSR must agree with the host unless the result is exact */
  readonly rounds: boolean;
  /** a cheap proof that an ordinary result is exact */
  readonly exact?: Exact;
  readonly result: (b: Semantics, width: FloatWidth, left: Value, right: Value) => Value;
  readonly good: (
    b: Semantics,
    width: FloatWidth,
    left: Value,
    right: Value,
    result: Value,
  ) => Value;
}

interface VectorRule {
  readonly result: (b: Semantics, width: FloatWidth, left: Value, right: Value) => Value;
  /** lane masks of what the fast path must not see */
  readonly bad: (
    b: Semantics,
    width: FloatWidth,
    left: Value,
    right: Value,
    result: Value,
  ) => Value[];
  readonly rounds: boolean;
}

export type BinaryName = 'add' | 'subtract' | 'multiply' | 'divide' | 'minimum' | 'maximum';

const scalarOp =
  (op: string): ScalarRule['result'] =>
  (b, width, left, right) =>
    asBits(b, width, b.pure(`f${width}.${op}`, asFloat(b, width, left), asFloat(b, width, right)));

/** Neither operand denormal, result finite and normal or zero: a sum that is zero is exact. */
const goodSum: ScalarRule['good'] = (b, width, left, right, result) => {
  const doubled = twice(b, width, result);
  const ordinary = b.or(normal(b, width, doubled), b.eqz(doubled));
  const operands = b.and(
    notDenormal(b, width, twice(b, width, left)),
    notDenormal(b, width, twice(b, width, right)),
  );
  return b.and(operands, ordinary);
};

const goodProduct: ScalarRule['good'] = (b, width, left, right, result) => {
  const [x, y, z] = [left, right, result].map((bits) => twice(b, width, bits)) as [
    Value,
    Value,
    Value,
  ];
  const zero = b.and(b.eqz(z), b.or(b.eqz(x), b.eqz(y)));
  const operands = b.and(notDenormal(b, width, x), notDenormal(b, width, y));
  return b.and(operands, b.or(wellNormal(b, width, z), zero));
};

const goodQuotient: ScalarRule['good'] = (b, width, left, right, result) => {
  const [x, y, z] = [left, right, result].map((bits) => twice(b, width, bits)) as [
    Value,
    Value,
    Value,
  ];
  const zero = b.and(b.eqz(z), b.eqz(x));
  const operands = b.and(notDenormal(b, width, x), notDenormal(b, width, y));
  return b.and(operands, b.or(wellNormal(b, width, z), zero));
};

/** The left operand where the comparison holds, else the right one: also for two zeros. */
const extremumOp =
  (op: 'lt' | 'gt'): ScalarRule['result'] =>
  (b, width, left, right) =>
    b.select(
      b.pure(`f${width}.${op}`, asFloat(b, width, left), asFloat(b, width, right)),
      left,
      right,
    );

const goodExtremum: ScalarRule['good'] = (b, width, left, right) => {
  const [x, y] = [left, right].map((bits) => twice(b, width, bits)) as [Value, Value];
  const normals = b.and(notDenormal(b, width, x), notDenormal(b, width, y));
  return b.and(normals, b.and(notNan(b, width, x), notNan(b, width, y)));
};

/**
 * The rounding error of a sum is zero (Knuth, The Art of Computer Programming, vol. 2, 4.2.2). A
 * difference is the sum with the negated second operand.
 */
const exactSum =
  (negated: boolean): Exact =>
  (b, width, left, right, result) => {
    const [x, y, sum] = [left, right, result].map((bits) => asFloat(b, width, bits)) as [
      Value,
      Value,
      Value,
    ];
    const sub = (p: Value, q: Value): Value => b.pure(`f${width}.sub`, p, q);
    const part = sub(sum, x);
    const ofLeft = sub(x, sub(sum, part));
    const ofRight = sub(negated ? b.pure(`f${width}.neg`, y) : y, part);
    // The error is their sum.
    return b.pure(`f${width}.eq`, b.pure(`f${width}.neg`, ofLeft), ofRight);
  };

/** Both significands have so many zeros at the end that their product fits. */
const exactProduct: Exact = (b, width, left, right) => {
  const tail = bitsOf(b, width, width === 32 ? 0xfffn : 0x7ff_ffffn);
  return b.eqz(b.and(b.or(left, right), tail));
};

const SCALAR: Readonly<Record<BinaryName, ScalarRule>> = {
  add: { result: scalarOp('add'), good: goodSum, rounds: true, exact: exactSum(false) },
  subtract: { result: scalarOp('sub'), good: goodSum, rounds: true, exact: exactSum(true) },
  multiply: { result: scalarOp('mul'), good: goodProduct, rounds: true, exact: exactProduct },
  divide: { result: scalarOp('div'), good: goodQuotient, rounds: true },
  minimum: { result: extremumOp('lt'), good: goodExtremum, rounds: false },
  maximum: { result: extremumOp('gt'), good: goodExtremum, rounds: false },
};

const vectorOp =
  (op: string): VectorRule['result'] =>
  (b, width, left, right) =>
    b.pure(`${floatShape(width)}.${op}`, left, right);

const badSum: VectorRule['bad'] = (b, width, left, right, result) => [
  denormalLanes(b, width, left),
  denormalLanes(b, width, right),
  denormalLanes(b, width, result),
  notFiniteLanes(b, width, result),
];

const badProduct: VectorRule['bad'] = (b, width, left, right, result) => {
  const zero = b.pure('v128.or', zeroLanes(b, width, left), zeroLanes(b, width, right));
  const exact = b.pure('v128.and', zeroLanes(b, width, result), zero);
  return [
    denormalLanes(b, width, left),
    denormalLanes(b, width, right),
    b.pure('v128.andnot', notWellNormalLanes(b, width, result), exact),
  ];
};

const badQuotient: VectorRule['bad'] = (b, width, left, right, result) => {
  const exact = b.pure('v128.and', zeroLanes(b, width, result), zeroLanes(b, width, left));
  return [
    denormalLanes(b, width, left),
    denormalLanes(b, width, right),
    b.pure('v128.andnot', notWellNormalLanes(b, width, result), exact),
  ];
};

const badExtremum: VectorRule['bad'] = (b, width, left, right) => [
  denormalLanes(b, width, left),
  denormalLanes(b, width, right),
  nanLanes(b, width, left),
  nanLanes(b, width, right),
];

const VECTOR: Readonly<Record<BinaryName, VectorRule>> = {
  add: { result: vectorOp('add'), bad: badSum, rounds: true },
  subtract: { result: vectorOp('sub'), bad: badSum, rounds: true },
  multiply: { result: vectorOp('mul'), bad: badProduct, rounds: true },
  divide: { result: vectorOp('div'), bad: badQuotient, rounds: true },
  // The WebAssembly pseudo-minimum takes its operands the other way round.
  minimum: {
    result: (b, width, x, y) => vectorOp('pmin')(b, width, y, x),
    bad: badExtremum,
    rounds: false,
  },
  maximum: {
    result: (b, width, x, y) => vectorOp('pmax')(b, width, y, x),
    bad: badExtremum,
    rounds: false,
  },
};

/** Writes a scalar result: the rest of the register is kept (legacy) or comes from the first source (VEX). */
export function writeScalar(
  b: Semantics,
  destination: Operand,
  left: Operand,
  width: FloatWidth,
  bits: Value,
): void {
  const value = element(b, width, bits);
  if (b.shape.vectorLength === undefined) destination.writeElement(width, value);
  else writeHalves(b, destination, [replaceLow(b, width, left.readVector(), value)]);
}

/** A scalar operation of two sources. */
export function scalarBinary(name: BinaryName, width: FloatWidth) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right } = threeOperands(b, operands);
    const x = narrow(b, width, left.readElement(width));
    const y = narrow(b, width, right.readElement(width));
    const rule = SCALAR[name];
    const result = rule.result(b, width, x, y);
    const ordinary = (): Value => rule.good(b, width, x, y, result);
    const good = (): Value => (rule.rounds ? b.and(hostRounds(b), ordinary()) : ordinary());
    const fact = scalarFact(width);
    const quick = [left, right].flatMap((operand, i) =>
      b.knows(operand, fact) ? [] : unknownOperand(b, width, i === 0 ? x : y, rule.rounds),
    );
    if (rule.rounds) quick.unshift(hostRounds(b), quicklyNormal(b, width, result));
    const { exact } = rule;
    const retry =
      exact === undefined
        ? undefined
        : () => b.and(b.and(ordinary(), roundsToNearest(b)), exact(b, width, x, y, result));
    const [value] = fastOrCareful(
      b,
      { quick, good },
      [result],
      [x],
      [y],
      () => carefulLanes(b, name, width, 1),
      retry,
    );
    writeScalar(b, destination, left, width, value as Value);
    if (right !== destination) b.learn(right, fact);
    b.learn(left, fact);
    b.learn(destination, fact);
  };
}

/** What must be tested of an operand about which nothing is known. A NaN shows in a rounded result. */
function unknownOperand(
  b: Semantics,
  width: FloatWidth,
  bits: Value,
  showsInResult: boolean,
): Value[] {
  const doubled = twice(b, width, bits);
  const number = notDenormal(b, width, doubled);
  return showsInResult ? [number] : [number, notNan(b, width, doubled)];
}

/** Packed operation over given halves of two sources. */
function packedValues(
  b: Semantics,
  rule: VectorRule,
  operation: FloatOperation,
  width: FloatWidth,
  left: readonly Value[],
  right: readonly Value[],
  known: readonly [left: boolean, right: boolean] = [false, false],
): Value[] {
  const results = left.map((x, i) => rule.result(b, width, x, right[i] as Value));
  const good = (): Value => {
    const bad = left.flatMap((x, i) =>
      rule.bad(b, width, x, right[i] as Value, results[i] as Value),
    );
    const ordinary = noLane(b, ...bad);
    return rule.rounds ? b.and(hostRounds(b), ordinary) : ordinary;
  };
  const quick = [...left, ...right].flatMap((vector, i) => {
    if (known[i < left.length ? 0 : 1] && left.length === 1) return [];
    const denormal = denormalLanes(b, width, vector);
    if (rule.rounds) return [noLane(b, denormal)];
    return [noLane(b, denormal, nanLanes(b, width, vector))];
  });
  if (rule.rounds) {
    quick.unshift(hostRounds(b), ...results.map((each) => quicklyNormalLanes(b, width, each)));
  }
  const lanes = (left.length * 128) / width;
  return fastOrCareful(b, { quick, good }, results, left, right, () =>
    carefulLanes(b, operation, width, lanes),
  );
}

/** A packed operation of two sources. */
export function packedBinary(name: BinaryName, width: FloatWidth) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right } = threeOperands(b, operands);
    const x = halves(b).map((at) => left.readVector(at));
    const y = halves(b).map((at) => right.readVector(at));
    const facts = packedFacts(width);
    const known = [b.knows(left, facts), b.knows(right, facts)] as const;
    writeHalves(b, destination, packedValues(b, VECTOR[name], name, width, x, y, known));
    for (const operand of [left, right, destination]) b.learn(operand, facts);
  };
}

/** HADDPS, HSUBPS ...: neighbours combined, those of the first source in the low half. */
export function horizontalBinary(name: 'add' | 'subtract', width: FloatWidth) {
  const bytes = width / 8;
  const even = lanePattern(bytes, width === 32 ? [0, 2, 4, 6] : [0, 2]);
  const odd = lanePattern(bytes, width === 32 ? [1, 3, 5, 7] : [1, 3]);
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right } = threeOperands(b, operands);
    const pairs = halves(b).map((at) => [left.readVector(at), right.readVector(at)] as const);
    const x = pairs.map(([first, second]) => shuffle(b, first, second, even));
    const y = pairs.map(([first, second]) => shuffle(b, first, second, odd));
    writeHalves(b, destination, packedValues(b, VECTOR[name], name, width, x, y));
  };
}

/** ADDSUBPS, ADDSUBPD: as an addition with the sign of the even lanes turned. */
export function alternatingBinary(width: FloatWidth) {
  const rule: VectorRule = {
    result: (b, _width, x, y) => {
      const signs = constant(b, width, 1n << BigInt(width - 1), 0);
      return b.pure(`${floatShape(width)}.add`, x, b.pure('v128.xor', y, signs));
    },
    bad: badSum,
    rounds: true,
  };
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right } = threeOperands(b, operands);
    const x = halves(b).map((at) => left.readVector(at));
    const y = halves(b).map((at) => right.readVector(at));
    writeHalves(b, destination, packedValues(b, rule, 'addSubtract', width, x, y));
  };
}

/** SQRTSS, SQRTSD: positive normal numbers and zeros are fast. */
export function scalarSquareRoot(width: FloatWidth) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right } = threeOperands(b, operands);
    const x = narrow(b, width, right.readElement(width));
    const result = asBits(b, width, b.pure(`f${width}.sqrt`, asFloat(b, width, x)));
    const good = (): Value => {
      const doubled = twice(b, width, x);
      const positive = b.eqz(b.shrU(x, width === 32 ? b.i32(31) : b.i64(63)));
      const ordinary = b.or(b.and(positive, normal(b, width, doubled)), b.eqz(doubled));
      return b.and(hostRounds(b), ordinary);
    };
    // The root of a negative number is a NaN.
    const quick = [hostRounds(b), quicklyNormal(b, width, result)];
    const fact = scalarFact(width);
    if (!b.knows(right, fact)) quick.push(...unknownOperand(b, width, x, true));
    const [value] = fastOrCareful(b, { quick, good }, [result], [x], [], () =>
      carefulLanes(b, 'squareRoot', width, 1),
    );
    writeScalar(b, destination, left, width, value as Value);
    b.learn(destination, fact);
  };
}

/** SQRTPS, SQRTPD. */
export function packedSquareRoot(width: FloatWidth) {
  return (b: Semantics, [destination, source]: readonly Operand[]): void => {
    const x = halves(b).map((at) => (source as Operand).readVector(at));
    const results = x.map((vector) => b.pure(`${floatShape(width)}.sqrt`, vector));
    // The root of what is negative is a NaN, of an infinity infinite.
    const bad = x.flatMap((vector, i) => [
      denormalLanes(b, width, vector),
      notFiniteLanes(b, width, results[i] as Value),
    ]);
    const good = b.and(hostRounds(b), noLane(b, ...bad));
    const lanes = (x.length * 128) / width;
    const values = fastOrCareful(b, good, results, x, [], () =>
      carefulLanes(b, 'squareRoot', width, lanes),
    );
    writeHalves(b, destination as Operand, values);
  };
}

export const BINARY_OPCODES: readonly (readonly [string, string, BinaryName])[] = [
  ['add', '0F 58', 'add'],
  ['mul', '0F 59', 'multiply'],
  ['sub', '0F 5C', 'subtract'],
  ['min', '0F 5D', 'minimum'],
  ['div', '0F 5E', 'divide'],
  ['max', '0F 5F', 'maximum'],
];

const binaries = BINARY_OPCODES.flatMap(([name, opcode, rule]) => [
  define(`${name}ps`, [sse(`NP ${opcode} /r`, 'Vx Wx', 'sse', 'aligned')], packedBinary(rule, 32)),
  define(`${name}pd`, [sse(`66 ${opcode} /r`, 'Vx Wx', 'sse2', 'aligned')], packedBinary(rule, 64)),
  define(`${name}ss`, [sse(`F3 ${opcode} /r`, 'Vss Wss', 'sse')], scalarBinary(rule, 32)),
  define(`${name}sd`, [sse(`F2 ${opcode} /r`, 'Vsd Wsd', 'sse2')], scalarBinary(rule, 64)),
]);

export const sseFloatInstructions: readonly Instruction[] = [
  ...binaries,
  define('sqrtps', [sse('NP 0F 51 /r', 'Vx Wx', 'sse', 'aligned')], packedSquareRoot(32)),
  define('sqrtpd', [sse('66 0F 51 /r', 'Vx Wx', 'sse2', 'aligned')], packedSquareRoot(64)),
  define('sqrtss', [sse('F3 0F 51 /r', 'Vss Wss', 'sse')], scalarSquareRoot(32)),
  define('sqrtsd', [sse('F2 0F 51 /r', 'Vsd Wsd', 'sse2')], scalarSquareRoot(64)),
  define('haddps', [sse('F2 0F 7C /r', 'Vx Wx', 'pni', 'aligned')], horizontalBinary('add', 32)),
  define('haddpd', [sse('66 0F 7C /r', 'Vx Wx', 'pni', 'aligned')], horizontalBinary('add', 64)),
  define(
    'hsubps',
    [sse('F2 0F 7D /r', 'Vx Wx', 'pni', 'aligned')],
    horizontalBinary('subtract', 32),
  ),
  define(
    'hsubpd',
    [sse('66 0F 7D /r', 'Vx Wx', 'pni', 'aligned')],
    horizontalBinary('subtract', 64),
  ),
  define('addsubps', [sse('F2 0F D0 /r', 'Vx Wx', 'pni', 'aligned')], alternatingBinary(32)),
  define('addsubpd', [sse('66 0F D0 /r', 'Vx Wx', 'pni', 'aligned')], alternatingBinary(64)),
];
