import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import {
  constant,
  halves,
  known,
  lane64,
  lanePattern,
  mmx,
  readMmx,
  shuffle,
  sse,
  threeOperands,
  writeHalves,
  writeMmx,
} from './sse-shared.ts';

/**
 * Shuffles by an immediate or by a vector of byte numbers. A known immediate becomes one shuffle; a
 * late-bound one becomes a vector of byte numbers for SWIZZLE.
 * SDM Vol. 2B "PSHUFB", "PSHUFD", "PSHUFLW", "SHUFPS", "PALIGNR".
 */

/** Bits 2i+1..2i of an immediate: the lane that result lane i comes from. */
const fieldOf = (imm: number, lane: number): number => (imm >> (2 * lane)) & 3;

/** i32 immediate, zero-extended from a byte. */
export function byteImmediate(b: Semantics, operand: Operand): Value {
  return b.wrap(operand.readUnsigned());
}

/** Byte numbers of four 32-bit lanes chosen by the four 2-bit fields of `imm`. */
function doublewordNumbers(b: Semantics, imm: Value): Value {
  const scaled = b.pure('i32x4.mul', b.pure('i32x4.splat', imm), constant(b, 32, 64, 16, 4, 1));
  const fields = b.pure('v128.and', b.pure('i32x4.shr_u', scaled, b.i32(6)), constant(b, 32, 3));
  const bytes = b.pure('i32x4.mul', fields, constant(b, 32, 0x04040404));
  return b.pure('i32x4.add', bytes, constant(b, 32, 0x03020100));
}

/** Byte numbers of the low or high four 16-bit lanes chosen by `imm`; the other half stays. */
function wordNumbers(b: Semantics, imm: Value, half: 'low' | 'high'): Value {
  const scaled = b.pure('i16x8.mul', b.pure('i16x8.splat', imm), constant(b, 16, 64, 16, 4, 1));
  const fields = b.pure('v128.and', b.pure('i16x8.shr_u', scaled, b.i32(6)), constant(b, 16, 3));
  const bytes = b.pure('i16x8.mul', fields, constant(b, 16, 0x0202));
  const base = half === 'low' ? 0x0100 : 0x0908;
  const chosen = b.pure('i16x8.add', bytes, constant(b, 16, base));
  const stay = constant(b, 16, 0x0100, 0x0302, 0x0504, 0x0706, 0x0908, 0x0b0a, 0x0d0c, 0x0f0e);
  return half === 'low'
    ? shuffle(b, chosen, stay, lanePattern(8, [0, 3]))
    : shuffle(b, chosen, stay, lanePattern(8, [2, 1]));
}

/** A shuffle of one source by an immediate: pattern of a known one, byte numbers of a late-bound one. */
function shuffleOne(
  b: Semantics,
  operands: readonly Operand[],
  pattern: (imm: number) => number[],
  numbers: (imm: Value) => Value,
): void {
  const [destination, source, immediate] = operands as [Operand, Operand, Operand];
  const imm = byteImmediate(b, immediate);
  const fixed = known(imm);
  const permute = (vector: Value): Value =>
    fixed !== undefined
      ? shuffle(b, vector, vector, pattern(fixed))
      : b.pure('i8x16.swizzle', vector, numbers(imm));
  if (destination.kind === 'mmx') {
    writeMmx(b, destination, lane64(b, permute(readMmx(b, source))));
    return;
  }
  const values = halves(b).map((at) => permute(source.readVector(at)));
  writeHalves(b, destination, values);
}

const FOUR = [0, 1, 2, 3];

/** PSHUFD. */
export function shuffleDoublewords(b: Semantics, operands: readonly Operand[]): void {
  shuffleOne(
    b,
    operands,
    (imm) =>
      lanePattern(
        4,
        FOUR.map((i) => fieldOf(imm, i)),
      ),
    (imm) => doublewordNumbers(b, imm),
  );
}

/** PSHUFLW and PSHUFHW, and PSHUFW of MMX as the low half. */
export function shuffleWords(half: 'low' | 'high') {
  return (b: Semantics, operands: readonly Operand[]): void => {
    shuffleOne(
      b,
      operands,
      (imm) => {
        const low = FOUR.map((i) => (half === 'low' ? fieldOf(imm, i) : i));
        const high = FOUR.map((i) => 4 + (half === 'high' ? fieldOf(imm, i) : i));
        return lanePattern(2, [...low, ...high]);
      },
      (imm) => wordNumbers(b, imm, half),
    );
  };
}

/** SHUFPS: two lanes of each source. */
export function shuffleSingles(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right, rest } = threeOperands(b, operands);
  const imm = byteImmediate(b, rest[0] as Operand);
  const fixed = known(imm);
  const numbers = fixed === undefined ? doublewordNumbers(b, imm) : undefined;
  const values = halves(b).map((at) => {
    const first = left.readVector(at);
    const second = right.readVector(at);
    if (numbers !== undefined) {
      const low = b.pure('i8x16.swizzle', first, numbers);
      const high = b.pure('i8x16.swizzle', second, numbers);
      return shuffle(b, low, high, lanePattern(8, [0, 3]));
    }
    const lanes = FOUR.map((i) => fieldOf(fixed as number, i) + (i < 2 ? 0 : 4));
    return shuffle(b, first, second, lanePattern(4, lanes));
  });
  writeHalves(b, destination, values);
}

/** SHUFPD: one lane of each source; VEX.256 takes bits 2 and 3 for the upper half. */
export function shuffleDoubles(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right, rest } = threeOperands(b, operands);
  const imm = byteImmediate(b, rest[0] as Operand);
  const chosen = (vector: Value, bit: number): Value => {
    const upper = b.and(b.shrU(imm, b.i32(bit)), b.i32(1));
    return b.select(upper, lane64(b, vector, 1), lane64(b, vector, 0));
  };
  const values = halves(b).map((at, half) => {
    const low = chosen(left.readVector(at), half * 2);
    const high = chosen(right.readVector(at), half * 2 + 1);
    return b.pureWith('i64x2.replace_lane', 1, b.pure('i64x2.splat', low), high);
  });
  writeHalves(b, destination, values);
}

/** PSHUFB: bytes by number; a number with bit 7 set gives zero. */
export function shuffleBytes(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right } = threeOperands(b, operands);
  if (destination.kind === 'mmx') {
    const numbers = b.pure('v128.and', readMmx(b, right), constant(b, 8, 0x87));
    writeMmx(b, destination, lane64(b, b.pure('i8x16.swizzle', readMmx(b, left), numbers)));
    return;
  }
  const values = halves(b).map((at) => {
    const numbers = b.pure('v128.and', right.readVector(at), constant(b, 8, 0x8f));
    return b.pure('i8x16.swizzle', left.readVector(at), numbers);
  });
  writeHalves(b, destination, values);
}

const COUNT = Array.from({ length: 16 }, (_, i) => i);

/** Sixteen bytes from byte `imm` of second:first on; beyond both come zeros. */
function alignVectors(b: Semantics, first: Value, second: Value, imm: Value): Value {
  const fixed = known(imm);
  if (fixed !== undefined && fixed <= 16) {
    return shuffle(
      b,
      second,
      first,
      COUNT.map((i) => fixed + i),
    );
  }
  const clamped = b.select(b.ltU(imm, b.i32(32)), imm, b.i32(32));
  const numbers = b.pure('i8x16.add', constant(b, 8, ...COUNT), b.pure('i8x16.splat', clamped));
  // Numbers of 16 and more, and wrapped negative ones, give zero.
  const low = b.pure('i8x16.swizzle', second, numbers);
  const high = b.pure('i8x16.swizzle', first, b.pure('i8x16.sub', numbers, constant(b, 8, 16)));
  return b.pure('v128.or', low, high);
}

/** PALIGNR. */
export function alignRight(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right, rest } = threeOperands(b, operands);
  const imm = byteImmediate(b, rest[0] as Operand);
  if (destination.kind === 'mmx') {
    // Eight bytes of second:first: both in one vector, shifted down.
    const joined = b.pureWith('i64x2.replace_lane', 0, readMmx(b, left), right.readElement(64));
    const none = constant(b, 8, 0);
    writeMmx(b, destination, lane64(b, alignVectors(b, none, joined, imm)));
    return;
  }
  const values = halves(b).map((at) =>
    alignVectors(b, left.readVector(at), right.readVector(at), imm),
  );
  writeHalves(b, destination, values);
}

export const sseShuffleInstructions: readonly Instruction[] = [
  define('pshufd', [sse('66 0F 70 /r ib', 'Vx Wx Ib', 'sse2', 'aligned')], shuffleDoublewords),
  define('pshuflw', [sse('F2 0F 70 /r ib', 'Vx Wx Ib', 'sse2', 'aligned')], shuffleWords('low')),
  define('pshufhw', [sse('F3 0F 70 /r ib', 'Vx Wx Ib', 'sse2', 'aligned')], shuffleWords('high')),
  define('pshufw', [mmx('NP 0F 70 /r ib', 'Pq Qq Ib', 'sse')], shuffleWords('low')),
  define('shufps', [sse('NP 0F C6 /r ib', 'Vx Wx Ib', 'sse', 'aligned')], shuffleSingles),
  define('shufpd', [sse('66 0F C6 /r ib', 'Vx Wx Ib', 'sse2', 'aligned')], shuffleDoubles),
  define(
    'pshufb',
    [sse('66 0F 38 00 /r', 'Vx Wx', 'ssse3', 'aligned'), mmx('NP 0F 38 00 /r', 'Pq Qq', 'ssse3')],
    shuffleBytes,
  ),
  define(
    'palignr',
    [
      sse('66 0F 3A 0F /r ib', 'Vx Wx Ib', 'ssse3', 'aligned'),
      mmx('NP 0F 3A 0F /r ib', 'Pq Qq Ib', 'ssse3'),
    ],
    alignRight,
  ),
];
