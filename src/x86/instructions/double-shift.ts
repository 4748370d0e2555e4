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
}

const lowBit = (b: Semantics, value: Value): Value => b.and(b.wrap(value), b.i32(1));

function shiftLeft(
  b: Semantics,
  left: Value,
  fill: Value,
  count: Value,
  width: number,
): DoubleShifted {
  if (width === 64) {
    const entering = b.shrU(b.shrU(fill, b.i64(1)), b.sub(b.i64(63), count));
    return {
      result: b.or(b.shl(left, count), entering),
      carry: lowBit(b, b.shrU(left, b.sub(b.i64(64), count))),
    };
  }
  // Left, fill (and for 16 bits left again, which is what comes in beyond 16 steps) in one number.
  let joined = b.or(b.shl(left, b.i64(width)), b.zeroExtend(fill, width));
  if (width === 16) joined = b.or(b.shl(joined, b.i64(16)), b.zeroExtend(left, 16));
  const below = width === 16 ? 32 : width;
  const before = b.shl(joined, b.sub(count, b.i64(1)));
  return {
    result: b.signExtend(b.shrU(b.shl(joined, count), b.i64(below)), width),
    carry: lowBit(b, b.shrU(before, b.i64(below + width - 1))),
  };
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
    return {
      result: b.or(b.shrU(left, count), entering),
      carry: lowBit(b, b.shrU(left, b.sub(count, b.i64(1)))),
    };
  }
  let above = b.zeroExtend(fill, width);
  if (width === 16) above = b.or(b.shl(left, b.i64(16)), above);
  const joined = b.or(b.shl(above, b.i64(width)), b.zeroExtend(left, width));
  return {
    result: b.signExtend(b.shrU(joined, count), width),
    carry: lowBit(b, b.shrU(joined, b.sub(count, b.i64(1)))),
  };
}

/** SHLD and SHRD. A masked count of 0 changes no flag; OF is set by a change of sign. SDM Vol. 2B "SHLD". */
function defineDoubleShift(name: string, opcode: number, shift: typeof shiftLeft): Instruction {
  const byte = (value: number) => value.toString(16).toUpperCase();
  return define(
    name,
    [form(`0F ${byte(opcode)} /r ib`, 'Ev Gv Ib'), form(`0F ${byte(opcode + 1)} /r`, 'Ev Gv CL')],
    (b, [destination, fill, source]) => {
      const width = destination.width;
      const left = destination.readForUpdate();
      const count = maskedCount(b, source, width);
      const { result, carry } = shift(b, left, fill.read(), count, width);
      destination.write(result);
      updateFlagsWhen(b, b.nez(count), {
        result,
        carry,
        overflowSign: b.xor(left, result),
        adjustBit4: b.i64(0),
      });
    },
  );
}

export const shld = defineDoubleShift('shld', 0xa4, shiftLeft);
export const shrd = defineDoubleShift('shrd', 0xac, shiftRight);

export const doubleShiftInstructions: readonly Instruction[] = [shld, shrd];
