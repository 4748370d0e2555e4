import type { Value } from '../../ir/mod.ts';
import { define, type Form, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { updateFlagsWhen } from './flag-bits.ts';

/** The six encodings of the shift and rotate group with ModRM.reg = `digit`. */
export function shiftForms(digit: number): Form[] {
  return [
    form(`C0 /${digit} ib`, 'Eb Ib'),
    form(`C1 /${digit} ib`, 'Ev Ib'),
    form(`D0 /${digit}`, 'Eb 1'),
    form(`D1 /${digit}`, 'Ev 1'),
    form(`D2 /${digit}`, 'Eb CL'),
    form(`D3 /${digit}`, 'Ev CL'),
  ];
}

/** A shift count cut to 6 bits for 64-bit operands, else to 5. SDM Vol. 2B "SAL/SAR/SHL/SHR". */
export function maskedCount(b: Semantics, count: Operand, width: number): Value {
  return b.and(count.read(), b.i64(width === 64 ? 63 : 31));
}

/** What a shift by `count` gives: the result, and the value before the last one-bit step. */
interface Shifted {
  /** sign-extended from the operand's width */
  readonly result: Value;
  /** the last bit shifted out, i32 */
  readonly carry: Value;
  /** OF in the sign bit */
  readonly overflowSign: Value;
}

/**
 * A shift instruction. A masked count of 0 changes no flag. CF of SHL and SHR by more than the width is
 * that of shifting one by one; OF, which is defined for a count of 1, follows the same formula for all
 * counts; AF, undefined, is set. AMD processors do the same.
 */
function defineShift(
  name: string,
  digits: readonly number[],
  shift: (b: Semantics, left: Value, count: Value, width: number) => Shifted,
): Instruction {
  return define(name, digits.flatMap(shiftForms), (b, [destination, source]) => {
    const width = destination.width;
    const left = destination.readForUpdate();
    const count = maskedCount(b, source, width);
    const { result, carry, overflowSign } = shift(b, left, count, width);
    destination.write(result);
    const adjustBit4 = b.i64(16);
    updateFlagsWhen(b, b.nez(count), { result, carry, overflowSign, adjustBit4 });
  });
}

/** SHL, also called SAL: /4 and its alias /6. */
export const shl = defineShift('shl', [4, 6], (b, left, count, width) => {
  const before = b.signExtend(b.shl(left, b.sub(count, b.i64(1))), width);
  const result = b.signExtend(b.shl(left, count), width);
  return {
    result,
    carry: b.wrap(b.shrU(before, b.i64(63))),
    overflowSign: b.xor(before, result),
  };
});

export const shr = defineShift('shr', [5], (b, left, count, width) => {
  const unsigned = b.zeroExtend(left, width);
  const before = b.shrU(unsigned, b.sub(count, b.i64(1)));
  const result = b.signExtend(b.shrU(unsigned, count), width);
  return {
    result,
    carry: b.and(b.wrap(before), b.i32(1)),
    overflowSign: b.xor(b.signExtend(before, width), result),
  };
});

export const sar = defineShift('sar', [7], (b, left, count) => {
  const before = b.shrS(left, b.sub(count, b.i64(1)));
  return {
    result: b.shrS(left, count),
    carry: b.and(b.wrap(before), b.i32(1)),
    overflowSign: b.i64(0),
  };
});

export const shiftInstructions: readonly Instruction[] = [shl, shr, sar];
