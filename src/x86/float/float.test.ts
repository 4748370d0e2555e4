import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  add,
  type BinaryOperation,
  compare,
  convertFormat,
  divide,
  EQUAL,
  FLOAT32,
  FLOAT64,
  FloatEnvironment,
  type Format,
  fromInteger,
  fusedMultiplyAdd,
  GREATER,
  LESS,
  multiply,
  roundToIntegral,
  squareRoot,
  subtract,
  toInteger,
  UNORDERED,
} from './mod.ts';

const IE = 1;
const DE = 2;
const ZE = 4;
const OE = 8;
const UE = 16;
const PE = 32;
/** All exceptions masked, round to nearest. */
const DEFAULT = 0x1f80;
const RC = { nearest: 0, down: 0x2000, up: 0x4000, zero: 0x6000 } as const;
const FZ = 0x8000;
const DAZ = 0x40;

const view = new DataView(new ArrayBuffer(8));

function double(value: number): bigint {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
function single(value: number): bigint {
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}
function toNumber(format: Format, bits: bigint): number {
  if (format === FLOAT64) {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  }
  view.setUint32(0, Number(bits));
  return view.getFloat32(0);
}

/** xorshift64 */
function generator(seed: bigint): () => bigint {
  let state = seed;
  return () => {
    state ^= BigInt.asUintN(64, state << 13n);
    state ^= state >> 7n;
    state ^= BigInt.asUintN(64, state << 17n);
    return state;
  };
}

/** Numbers of all kinds, exponents often near each other and near the ends of the range. */
function randomBits(format: Format, random: () => bigint): bigint {
  const bits = BigInt.asUintN(format.width, random());
  const choice = random() % 8n;
  if (choice === 0n) return bits & ~format.infinity; // zero or denormal
  if (choice === 1n) return bits | format.infinity;
  if (choice < 5n) {
    const near = BigInt(format.maxExponent) + (random() % 9n) - 4n;
    return (bits & ~format.infinity) | (near << format.fractionBits);
  }
  return choice === 5n ? bits & ~(format.fractionMask >> 8n) : bits;
}

const OPERATIONS: readonly (readonly [
  string,
  BinaryOperation,
  (x: number, y: number) => number,
])[] = [
  ['sum', add, (x, y) => x + y],
  ['difference', subtract, (x, y) => x - y],
  ['product', multiply, (x, y) => x * y],
  ['quotient', divide, (x, y) => x / y],
];

for (const format of [FLOAT32, FLOAT64]) {
  const round = format === FLOAT32 ? Math.fround : (value: number): number => value;
  for (const [name, operation, expected] of OPERATIONS) {
    test(`float: a ${name} of ${format.width}-bit numbers rounds as the host rounds it`, () => {
      const random = generator(0x9e37_79b9_7f4a_7c15n);
      for (let i = 0; i < 3000; i++) {
        const left = randomBits(format, random);
        const right = randomBits(format, random);
        const env = new FloatEnvironment(DEFAULT);
        const actual = toNumber(format, operation(format, env, left, right));
        const host = round(expected(toNumber(format, left), toNumber(format, right)));
        assert.ok(
          Object.is(actual, host),
          `${name} of ${left} and ${right}: ${actual}, not ${host}`,
        );
      }
    });
  }

  test(`float: a square root of ${format.width} bits rounds as the host rounds it`, () => {
    const random = generator(0x1234_5678_9abc_def1n);
    for (let i = 0; i < 3000; i++) {
      const bits = randomBits(format, random);
      const actual = toNumber(format, squareRoot(format, new FloatEnvironment(DEFAULT), bits));
      assert.ok(Object.is(actual, round(Math.sqrt(toNumber(format, bits)))), `root of ${bits}`);
    }
  });

  test(`float: directed rounding of ${format.width} bits brackets the exact value`, () => {
    const random = generator(0x0bad_cafe_dead_beefn);
    for (let i = 0; i < 500; i++) {
      const left = randomBits(format, random);
      const right = randomBits(format, random);
      for (const [, operation] of OPERATIONS) {
        const run = (mode: number): { value: number; flags: number } => {
          const env = new FloatEnvironment(DEFAULT | mode);
          const bits = operation(format, env, left, right);
          return { value: toNumber(format, bits), flags: env.flags };
        };
        const down = run(RC.down);
        const up = run(RC.up);
        const nearest = run(RC.nearest);
        const zero = run(RC.zero);
        if (Number.isNaN(nearest.value)) continue;
        assert.ok(down.value <= nearest.value && nearest.value <= up.value);
        const inexact = (nearest.flags & PE) !== 0;
        assert.equal(inexact, (down.flags & PE) !== 0);
        if (inexact) assert.ok(down.value < up.value);
        assert.equal(Math.abs(zero.value), Math.min(Math.abs(down.value), Math.abs(up.value)));
      }
    }
  });
}

function flagsOf(operation: BinaryOperation, left: bigint, right: bigint, mxcsr = DEFAULT): number {
  const env = new FloatEnvironment(mxcsr);
  operation(FLOAT64, env, left, right);
  return env.flags;
}

const TINY = 1n; // smallest denormal
const HUGE = double(Number.MAX_VALUE);

test('float: each exception is raised by its cause alone', () => {
  assert.equal(flagsOf(add, double(1), double(2)), 0);
  assert.equal(flagsOf(divide, double(1), double(3)), PE);
  assert.equal(flagsOf(divide, double(1), double(0)), ZE);
  assert.equal(flagsOf(divide, double(0), double(0)), IE);
  assert.equal(flagsOf(subtract, double(Infinity), double(Infinity)), IE);
  assert.equal(flagsOf(multiply, double(0), double(Infinity)), IE);
  assert.equal(flagsOf(add, HUGE, HUGE), OE | PE);
  assert.equal(flagsOf(multiply, double(2 ** -600), double(2 ** -600)), UE | PE);
  assert.equal(flagsOf(add, double(1), TINY), DE | PE);
});

test('float: an exact denormal result underflows only when underflow is unmasked', () => {
  const half = double(2 ** -1022);
  assert.equal(flagsOf(multiply, half, double(0.5)), 0);
  assert.equal(flagsOf(multiply, half, double(0.5), DEFAULT & ~0x800), UE);
});

test('float: denormals-are-zero and flush-to-zero replace denormals by zeros', () => {
  const env = new FloatEnvironment(DEFAULT | DAZ);
  assert.equal(add(FLOAT64, env, TINY, TINY), 0n);
  assert.equal(env.flags, 0);
  const flush = new FloatEnvironment(DEFAULT | FZ);
  assert.equal(multiply(FLOAT64, flush, double(-(2 ** -1022)), double(0.5)), FLOAT64.signBit);
  assert.equal(flush.flags, UE | PE);
});

test('float: the first NaN operand comes out quiet with its payload', () => {
  const quiet = 0x7ff8_0000_0000_1234n;
  const signaling = 0xfff0_0000_0000_5678n;
  const env = new FloatEnvironment(DEFAULT);
  assert.equal(add(FLOAT64, env, quiet, double(1)), quiet);
  assert.equal(env.flags, 0);
  assert.equal(add(FLOAT64, env, signaling, quiet), signaling | FLOAT64.quietBit);
  assert.equal(env.flags, IE);
  assert.equal(subtract(FLOAT64, env, double(Infinity), double(Infinity)), FLOAT64.defaultNan);
});

test('float: unmasked exceptions of operands hide those of the result', () => {
  const env = new FloatEnvironment(DEFAULT & ~0x100); // denormal operand unmasked
  add(FLOAT64, env, double(1), TINY);
  assert.equal(env.unmasked, DE);
  assert.equal(env.reported, DE);
});

test('float: comparison tells less, equal, greater and unordered', () => {
  const env = new FloatEnvironment(DEFAULT);
  const relation = (x: number, y: number): number =>
    compare(FLOAT64, env, double(x), double(y), false);
  assert.equal(relation(-1, 1), LESS);
  assert.equal(relation(0, -0), EQUAL);
  assert.equal(relation(2, -3), GREATER);
  assert.equal(relation(Number.NaN, 1), UNORDERED);
  assert.equal(env.flags, 0);
  compare(FLOAT64, env, double(Number.NaN), double(1), true);
  assert.equal(env.flags, IE);
});

test('float: conversions to integers round, saturate to the indefinite and report', () => {
  const run = (value: number, width: number, mode: number): readonly [bigint, number] => {
    const env = new FloatEnvironment(DEFAULT);
    return [toInteger(FLOAT64, env, double(value), width, mode), env.flags];
  };
  assert.deepEqual(run(2.5, 32, 0), [2n, PE]);
  assert.deepEqual(run(-2.5, 32, 1), [0xffff_fffdn, PE]);
  assert.deepEqual(run(2.5, 32, 2), [3n, PE]);
  assert.deepEqual(run(2147483647.5, 32, 3), [0x7fff_ffffn, PE]);
  assert.deepEqual(run(2147483647.5, 32, 0), [0x8000_0000n, IE]);
  assert.deepEqual(run(Number.NaN, 64, 0), [1n << 63n, IE]);
  assert.deepEqual(run(-(2 ** 63), 64, 0), [1n << 63n, 0]);
});

test('float: conversions between formats keep what fits', () => {
  const env = new FloatEnvironment(DEFAULT);
  assert.equal(convertFormat(FLOAT32, FLOAT64, env, single(1.5)), double(1.5));
  assert.equal(convertFormat(FLOAT64, FLOAT32, env, 0x7ff0_0000_2000_0001n), 0x7fc0_0001n);
  assert.equal(env.flags, IE);
  assert.equal(fromInteger(FLOAT32, env, -(2n ** 63n)), single(-(2 ** 63)));
  assert.equal(env.flags, IE);
  assert.equal(fromInteger(FLOAT32, env, 2n ** 25n + 3n), single(2 ** 25 + 4));
  assert.equal(env.flags, IE | PE);
});

test('float: rounding to integral keeps the sign of zero', () => {
  const env = new FloatEnvironment(DEFAULT);
  assert.equal(roundToIntegral(FLOAT64, env, double(-0.3), 2, true), double(-0));
  assert.equal(env.flags, PE);
  assert.equal(roundToIntegral(FLOAT64, env, double(2 ** 60), 0, true), double(2 ** 60));
});

test('float: a fused product and sum rounds once', () => {
  const env = new FloatEnvironment(DEFAULT);
  const x = double(1 + 2 ** -52);
  const product = toNumber(FLOAT64, x) ** 2;
  // The rounding error of the product, which two roundings would lose.
  const error = fusedMultiplyAdd(FLOAT64, env, x, x, double(-product), false, false);
  assert.equal(toNumber(FLOAT64, error), 2 ** -104);
  assert.equal(env.flags, 0);
});
