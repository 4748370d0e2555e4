import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { RAX, RDX } from '../state.ts';
import { multiplyHighSigned, multiplyHighUnsigned } from './multiply-high.ts';

/**
 * CF = OF = `overflow` (i32). SF, ZF, AF and PF are undefined: all flags become those of a subtraction that
 * borrows and overflows, or of 0 - 0, so that none need be kept from before.
 */
function setOverflow(b: Semantics, overflow: Value): void {
  const pick = (value: bigint): Value => b.select(overflow, b.i64(value), b.i64(0));
  b.flagsSub(
    pick(0x7fff_ffff_ffff_ffffn),
    pick(0x8000_0000_0000_0000n),
    pick(0xffff_ffff_ffff_ffffn),
  );
}

/** MUL: rDX:rAX ← rAX × source, unsigned (AX ← AL × source for bytes). SDM Vol. 2B "MUL". */
export const mul = define('mul', [form('F6 /4', 'Eb'), form('F7 /4', 'Ev')], (b, [source]) => {
  const width = source.width;
  const left = b.readGprUnsigned(RAX, width);
  const right = source.readUnsigned();
  const low = b.mul(left, right);
  if (width === 8) {
    b.writeGpr(RAX, 16, low);
    setOverflow(b, b.nez(b.shrU(low, b.i64(8))));
    return;
  }
  const high = width === 64 ? multiplyHighUnsigned(b, left, right) : b.shrU(low, b.i64(width));
  b.writeGpr(RAX, width, low);
  b.writeGpr(RDX, width, high);
  setOverflow(b, b.nez(high));
});

/** IMUL with one operand: the signed double-width product. SDM Vol. 2A "IMUL". */
export const imulWide = define(
  'imul',
  [form('F6 /5', 'Eb'), form('F7 /5', 'Ev')],
  (b, [source]) => {
    const width = source.width;
    const left = b.readGpr(RAX, width);
    const right = source.read();
    const low = b.mul(left, right);
    if (width === 8) {
      b.writeGpr(RAX, 16, low);
      setOverflow(b, b.ne(b.signExtend(low, 8), low));
      return;
    }
    const high = width === 64 ? multiplyHighSigned(b, left, right) : b.shrS(low, b.i64(width));
    b.writeGpr(RAX, width, low);
    b.writeGpr(RDX, width, high);
    setOverflow(b, b.ne(high, b.shrS(b.signExtend(low, width), b.i64(63))));
  },
);

/** 1.5 × 2^63 as the bits of an f64. */
const BETWEEN_2_63_AND_2_64 = 0x43e8000000000000n;

/**
 * Whether a signed 64-bit product overflows, without its upper half. The product in floating point is
 * off by a few parts in 2^53. From 1.5 × 2^63 on, the exact product certainly overflows; below, it is
 * smaller than 2^64, so that it overflows exactly when `low` has the wrong sign.
 */
function overflows64(b: Semantics, left: Value, right: Value, low: Value): Value {
  const real = (value: Value) => b.pure('f64.convert_i64_s', value);
  const size = b.pure('f64.abs', b.pure('f64.mul', real(left), real(right)));
  const limit = b.pure('f64.reinterpret_i64', b.i64(BETWEEN_2_63_AND_2_64));
  const wrongSign = b.ltS(b.xor(b.xor(left, right), low), b.i64(0));
  return b.or(b.pure('f64.ge', size, limit), b.and(wrongSign, b.nez(low)));
}

/** destination ← left × right, cut to the operand size; CF = OF = 1 when that loses something. */
function multiplyInto(b: Semantics, destination: Operand, left: Value, right: Value): void {
  const width = destination.width;
  const low = b.mul(left, right);
  const result = b.signExtend(low, width);
  destination.write(result);
  setOverflow(b, width === 64 ? overflows64(b, left, right, low) : b.ne(result, low));
}

/** IMUL with two operands. SDM Vol. 2A "IMUL". */
export const imul = define('imul', [form('0F AF /r', 'Gv Ev')], (b, [destination, source]) => {
  multiplyInto(b, destination, destination.read(), source.read());
});

/** IMUL with three operands: destination ← source × immediate. */
export const imulImmediate = define(
  'imul',
  [form('6B /r ib', 'Gv Ev Ib'), form('69 /r iz', 'Gv Ev Iz')],
  (b, [destination, source, immediate]) => {
    multiplyInto(b, destination, source.read(), immediate.read());
  },
);

export const mulInstructions: readonly Instruction[] = [mul, imulWide, imul, imulImmediate];
