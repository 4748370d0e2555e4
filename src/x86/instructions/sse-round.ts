import type { Value } from '../../ir/mod.ts';
import { MXCSR_RC_SHIFT } from '../float/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';
import {
  asBits,
  asFloat,
  carefulLanes,
  denormalLanes,
  type FloatWidth,
  fastOrCareful,
  floatShape,
  inexactIsKnown,
  nanLanes,
  narrow,
  noLane,
  notDenormal,
  notNan,
  twice,
} from './sse-careful.ts';
import { writeScalar } from './sse-float.ts';
import { halves, sse, threeOperands, writeHalves } from './sse-shared.ts';
import { byteImmediate } from './sse-shuffle.ts';

/** ROUNDSS, ROUNDSD, ROUNDPS, ROUNDPD; DPPS, DPPD; approximations. SDM Vol. 2B "ROUNDPD", "RCPPS". */

/** Rounding mode 0 to 3: of the immediate, or of MXCSR when its bit 2 is set. */
function roundingMode(b: Semantics, imm: Value): Value {
  const current = b.shrU(b.readField32(STATE.mxcsr), b.i32(MXCSR_RC_SHIFT));
  return b.and(b.select(b.and(imm, b.i32(4)), current, imm), b.i32(3));
}

/** `round` by mode: nearest, down, up, toward zero. */
function byMode(b: Semantics, mode: Value, round: (op: string) => Value): Value {
  const even = b.eqz(b.and(mode, b.i32(1)));
  const low = b.select(even, round('nearest'), round('floor'));
  const high = b.select(even, round('ceil'), round('trunc'));
  return b.select(b.and(mode, b.i32(2)), high, low);
}

/** Inexact results raise nothing: the immediate says so, or they are reported already. */
const silent = (b: Semantics, imm: Value): Value =>
  b.or(inexactIsKnown(b), b.ne(b.and(imm, b.i32(8)), b.i32(0)));

export function roundScalar(width: FloatWidth) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right, rest } = threeOperands(b, operands);
    const imm = byteImmediate(b, rest[0] as Operand);
    const bits = narrow(b, width, right.readElement(width));
    const value = asFloat(b, width, bits);
    const rounded = byMode(b, roundingMode(b, imm), (op) => b.pure(`f${width}.${op}`, value));
    const doubled = twice(b, width, bits);
    const ordinary = b.and(notDenormal(b, width, doubled), notNan(b, width, doubled));
    const good = b.and(ordinary, silent(b, imm));
    const [result] = fastOrCareful(b, good, [asBits(b, width, rounded)], [bits], [], () =>
      carefulLanes(b, 'round', width, 1, imm),
    );
    writeScalar(b, destination, left, width, result as Value);
  };
}

export function roundPacked(width: FloatWidth) {
  return (b: Semantics, [destination, source, immediate]: readonly Operand[]): void => {
    const imm = byteImmediate(b, immediate as Operand);
    const mode = roundingMode(b, imm);
    const vectors = halves(b).map((at) => (source as Operand).readVector(at));
    const results = vectors.map((vector) =>
      byMode(b, mode, (op) => b.pure(`${floatShape(width)}.${op}`, vector)),
    );
    const bad = vectors.flatMap((vector) => [
      denormalLanes(b, width, vector),
      nanLanes(b, width, vector),
    ]);
    const good = b.and(noLane(b, ...bad), silent(b, imm));
    const lanes = (vectors.length * 128) / width;
    const values = fastOrCareful(b, good, results, vectors, [], () =>
      carefulLanes(b, 'round', width, lanes, imm),
    );
    writeHalves(b, destination as Operand, values);
  };
}

/** DPPS, DPPD: always careful, because its steps round and raise one by one. */
export function dotProduct(width: FloatWidth) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right, rest } = threeOperands(b, operands);
    const imm = byteImmediate(b, rest[0] as Operand);
    const x = halves(b).map((at) => left.readVector(at));
    const y = halves(b).map((at) => right.readVector(at));
    const values = fastOrCareful(b, b.i32(0), x, x, y, () =>
      b.helper('floatDotProduct', b.i32(width), b.i32(x.length), imm),
    );
    writeHalves(b, destination, values);
  };
}

/** RCPPS, RSQRTPS and scalar kin: no exception, denormals count as zero. */
export function approximate(root: boolean, scalar: boolean) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    if (scalar) {
      const { destination, left, right } = threeOperands(b, operands);
      const bits = b.wrap(right.readElement(32));
      const [value] = fastOrCareful(b, b.i32(0), [bits], [bits], [], () =>
        b.helper('floatApproximate', b.i32(root ? 1 : 0), b.i32(1)),
      );
      writeScalar(b, destination, left, 32, value as Value);
      return;
    }
    const [destination, source] = operands as [Operand, Operand];
    const x = halves(b).map((at) => source.readVector(at));
    const values = fastOrCareful(b, b.i32(0), x, x, [], () =>
      b.helper('floatApproximate', b.i32(root ? 1 : 0), b.i32(x.length * 4)),
    );
    writeHalves(b, destination, values);
  };
}

export const sseRoundInstructions: readonly Instruction[] = [
  define('roundps', [sse('66 0F 3A 08 /r ib', 'Vx Wx Ib', 'sse4_1', 'aligned')], roundPacked(32)),
  define('roundpd', [sse('66 0F 3A 09 /r ib', 'Vx Wx Ib', 'sse4_1', 'aligned')], roundPacked(64)),
  define('roundss', [sse('66 0F 3A 0A /r ib', 'Vss Wss Ib', 'sse4_1')], roundScalar(32)),
  define('roundsd', [sse('66 0F 3A 0B /r ib', 'Vsd Wsd Ib', 'sse4_1')], roundScalar(64)),
  define('dpps', [sse('66 0F 3A 40 /r ib', 'Vx Wx Ib', 'sse4_1', 'aligned')], dotProduct(32)),
  define('dppd', [sse('66 0F 3A 41 /r ib', 'Vx Wx Ib', 'sse4_1', 'aligned')], dotProduct(64)),
  define('rcpps', [sse('NP 0F 53 /r', 'Vx Wx', 'sse', 'aligned')], approximate(false, false)),
  define('rcpss', [sse('F3 0F 53 /r', 'Vss Wss', 'sse')], approximate(false, true)),
  define('rsqrtps', [sse('NP 0F 52 /r', 'Vx Wx', 'sse', 'aligned')], approximate(true, false)),
  define('rsqrtss', [sse('F3 0F 52 /r', 'Vss Wss', 'sse')], approximate(true, true)),
];
