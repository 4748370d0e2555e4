import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { RAX, RCX, RDX, STATE, xmmOffset } from '../state.ts';
import { putScratch, SECOND } from './sse-careful.ts';
import { constant, fromLow64, known, shuffle, sse, zero } from './sse-shared.ts';
import { byteImmediate } from './sse-shuffle.ts';

/**
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM Vol. 2B, 4.1. Comparisons of bytes are written out where
 * the immediate is known; the others call a helper that does everything.
 */

const COUNT = 16;
const ALL = 0xffff;

/** Fields of the immediate. */
const WORDS = 1;
const MODE = 0xc;
const EQUAL_EACH = 8;
const NEGATIVE = 0x10;
const MASKED_NEGATIVE = 0x30;
const MOST_SIGNIFICANT = 0x40;

interface Strings {
  readonly first: Value;
  readonly second: Value;
  /** i32, at most COUNT */
  readonly firstLength: Value;
  readonly secondLength: Value;
}

export function compareStrings(explicit: boolean, mask: boolean) {
  return (b: Semantics, [first, second, immediate]: readonly Operand[]): void => {
    const imm = byteImmediate(b, immediate as Operand);
    const left = (first as Operand).readVector();
    const right = (second as Operand).readVector();
    const fixed = known(imm);
    // Lengths are 64-bit with REX.W.
    const wide = b.shape.operandSize === 64;
    if (fixed === undefined || (fixed & WORDS) !== 0) {
      putScratch(b, 0, left);
      putScratch(b, SECOND, right);
      const kind = (explicit ? 1 : 0) | (mask ? 2 : 0) | (wide ? 4 : 0) | (clears(b) ? 8 : 0);
      b.helper('compareStrings', b.i32(kind), imm);
      return;
    }
    const length = (vector: Value, register: number): Value =>
      explicit ? explicitLength(b, register, wide ? 64 : 32) : implicitLength(b, vector);
    const strings = {
      first: left,
      second: right,
      firstLength: length(left, RAX),
      secondLength: length(right, RDX),
    };
    const result = polarized(b, fixed, aggregate(b, fixed, strings), strings.secondLength);
    if (mask) writeMask(b, fixed, result);
    else b.writeGpr(RCX, 32, b.widen(indexOf(b, fixed, result)));
    writeFlags(b, result, strings);
  };
}

/** VEX encodings clear the upper half of XMM0's register. */
const clears = (b: Semantics): boolean => b.shape.vectorLength !== undefined;

/** Bits below the lowest one of an i32 that is not zero. */
function trailingZeros(b: Semantics, bits: Value): Value {
  return b.wrap(b.pure('i64.ctz', b.widen(bits)));
}

/** Bytes before the first zero. */
function implicitLength(b: Semantics, text: Value): Value {
  const zeros = b.pure('i8x16.bitmask', b.pure('i8x16.eq', text, zero(b)));
  return trailingZeros(b, b.or(zeros, b.i32(1 << COUNT)));
}

/** Magnitude of a register, at most COUNT. */
function explicitLength(b: Semantics, register: number, width: number): Value {
  const value = b.readGpr(register, width);
  const magnitude = b.select(b.ltS(value, b.i64(0)), b.neg(value), value);
  return b.select(b.ltU(magnitude, b.i64(COUNT)), b.wrap(magnitude), b.i32(COUNT));
}

/** As many ones as `length` says. */
function ones(b: Semantics, length: Value): Value {
  return b.sub(b.shl(b.i32(1), length), b.i32(1));
}

/** One bit for each byte of the second string. */
function aggregate(b: Semantics, imm: number, strings: Strings): Value {
  const { first, second, firstLength, secondLength } = strings;
  if ((imm & MODE) !== EQUAL_EACH) {
    putScratch(b, 0, first);
    putScratch(b, SECOND, second);
    return b.call('stringAggregate', 'i32', b.i32(imm), firstLength, secondLength);
  }
  const equal = b.pure('i8x16.bitmask', b.pure('i8x16.eq', first, second));
  const [x, y] = [ones(b, firstLength), ones(b, secondLength)];
  // Both beyond their ends count as equal, one as different.
  const neither = b.and(b.not(b.or(x, y)), b.i32(ALL));
  return b.or(b.and(equal, b.and(x, y)), neither);
}

function polarized(b: Semantics, imm: number, bits: Value, secondLength: Value): Value {
  const polarity = imm & MASKED_NEGATIVE;
  if (polarity === NEGATIVE) return b.xor(bits, b.i32(ALL));
  if (polarity === MASKED_NEGATIVE) return b.xor(bits, ones(b, secondLength));
  return bits;
}

function indexOf(b: Semantics, imm: number, bits: Value): Value {
  if ((imm & MOST_SIGNIFICANT) === 0) return trailingZeros(b, b.or(bits, b.i32(1 << COUNT)));
  const highest = b.sub(b.i32(31), b.pure('i32.clz', bits));
  return b.select(bits, highest, b.i32(COUNT));
}

/** XMM0: the bits themselves, or a whole byte for each. */
function writeMask(b: Semantics, imm: number, bits: Value): void {
  const field = (at: number) => ({ kind: 'fixed', offset: xmmOffset(0) + at }) as const;
  let value = fromLow64(b, b.widen(bits));
  if ((imm & MOST_SIGNIFICANT) !== 0) {
    const spread = shuffle(b, value, value, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    const each = constant(b, 8, 1, 2, 4, 8, 16, 32, 64, 128);
    value = b.pure('i8x16.eq', b.pure('v128.and', spread, each), each);
  }
  b.writeState(field(0), 'v128', value);
  if (clears(b)) b.writeState(field(16), 'v128', zero(b));
}

function writeFlags(b: Semantics, bits: Value, { firstLength, secondLength }: Strings): void {
  const isShort = (length: Value): Value => b.ltU(length, b.i32(COUNT));
  b.setCarry(b.nez(bits));
  b.setZeroFrom(b.widen(b.eqz(isShort(secondLength))));
  // Odd parity: PF = 0.
  b.writeField(STATE.flagS, b.select(isShort(firstLength), b.i64((1n << 63n) | 1n), b.i64(1)));
  b.setOverflowSign(b.shl(b.widen(b.and(bits, b.i32(1))), b.i64(63)));
  b.setAdjustBit4(b.i64(0));
}

export const sseStringInstructions: readonly Instruction[] = (['e', 'i'] as const).flatMap(
  (length) =>
    (['m', 'i'] as const).map((result) => {
      const opcode = (length === 'e' ? 0x60 : 0x62) + (result === 'm' ? 0 : 1);
      return define(
        `pcmp${length}str${result}`,
        [sse(`66 0F 3A ${opcode.toString(16)} /r ib`, 'Vx Wx Ib', 'sse4_2')],
        compareStrings(length === 'e', result === 'm'),
      );
    }),
);
