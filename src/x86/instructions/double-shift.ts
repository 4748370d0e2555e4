import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { updateFlagsWhen } from './flag-bits.ts';
import { maskedCount } from './shift.ts';

interface DoubleShifted {
  /** sign-extended from the operand's width */
  readonly result: Value;
  /** i32 */
  readonly carry: Value;
  /** OF in the sign bit */
  readonly overflowSign: Value;
}

const lowBit = (b: Semantics, value: Value): Value => b.and(b.wrap(value), b.i32(1));

/** OF is the result's top bit xor CF: for a count of 1, a change of sign. */
function leftResult(b: Semantics, result: Value, carry: Value): DoubleShifted {
  return { result, carry, overflowSign: b.xor(result, b.shl(b.widen(carry), b.i64(63))) };
}

/** OF is the xor of the result's two top bits: for a count of 1, a change of sign. */
function rightResult(b: Semantics, result: Value, carry: Value, width: number): DoubleShifted {
  return { result, carry, overflowSign: b.xor(result, b.shl(result, b.i64(65 - width))) };
}

function shiftLeft(
  b: Semantics,
  left: Value,
  fill: Value,
  count: Value,
  width: number,
): DoubleShifted {
  if (width === 64) {
    const entering = b.shrU(b.shrU(fill, b.i64(1)), b.sub(b.i64(63), count));
    const carry = lowBit(b, b.shrU(left, b.sub(b.i64(64), count)));
    return leftResult(b, b.or(b.shl(left, count), entering), carry);
  }
  // Left and fill (for 16 bits twice: it comes in again beyond 16 steps) in one number.
  let joined = b.or(b.shl(left, b.i64(width)), b.zeroExtend(fill, width));
  if (width === 16) joined = b.or(b.shl(joined, b.i64(16)), b.zeroExtend(fill, 16));
  const below = width === 16 ? 32 : width;
  const result = b.signExtend(b.shrU(b.shl(joined, count), b.i64(below)), width);
  const shiftedOut = b.shrU(b.shl(b.zeroExtend(left, width), count), b.i64(width));
  return leftResult(b, result, lowBit(b, shiftedOut));
}

function shiftRight(
  b: Semantics,
  left: Value,
  fill: Value,
  count: Value,
  width: number,
): DoubleShifted {
  if (width === 64) {
    const entering = b.shl(b.shl(fill, b.i64(1)), b.sub(b.i64(63), count));
    const carry = lowBit(b, b.shrU(left, b.sub(count, b.i64(1))));
    return rightResult(b, b.or(b.shrU(left, count), entering), carry, width);
  }
  let above = b.zeroExtend(fill, width);
  if (width === 16) above = b.or(b.shl(above, b.i64(16)), above);
  const joined = b.or(b.shl(above, b.i64(width)), b.zeroExtend(left, width));
  const result = b.signExtend(b.shrU(joined, count), width);
  const shiftedOut = b.shrU(b.zeroExtend(left, width), b.sub(count, b.i64(1)));
  return rightResult(b, result, lowBit(b, shiftedOut), width);
}

/** SHLD and SHRD. A masked count of 0 changes no flag; AF, undefined, is set. SDM Vol. 2B "SHLD". */
function defineDoubleShift(name: string, opcode: number, shift: typeof shiftLeft): Instruction {
  const byte = (value: number) => value.toString(16).toUpperCase();
  return define(
    name,
    [form(`0F ${byte(opcode)} /r ib`, 'Ev Gv Ib'), form(`0F ${byte(opcode + 1)} /r`, 'Ev Gv CL')],
    (b, [destination, fill, source]) => {
      const width = destination.width;
      const left = destination.readForUpdate();
      const count = maskedCount(b, source, width);
      const { result, carry, overflowSign } = shift(b, left, fill.read(), count, width);
      destination.write(result);
      updateFlagsWhen(b, b.nez(count), {
        result,
        carry,
        overflowSign,
        adjustBit4: b.i64(16),
      });
    },
  );
}

export const shld = defineDoubleShift('shld', 0xa4, shiftLeft);
export const shrd = defineDoubleShift('shrd', 0xac, shiftRight);

export const doubleShiftInstructions: readonly Instruction[] = [shld, shrd];
