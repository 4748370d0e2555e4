import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { updateFlagsWhen } from './flag-bits.ts';
import { maskedCount, shiftForms } from './shift.ts';

/** Multiplying by this repeats a value of `width` bits over 64, so that one 64-bit rotate serves narrow widths. */
const REPEAT: Record<number, bigint> = { 8: 0x0101010101010101n, 16: 0x0001000100010001n };

/** `left` rotated by the i64 `count`: sign-extended from `width`. */
export function rotate(
  b: Semantics,
  op: 'rotl' | 'rotr',
  left: Value,
  count: Value,
  width: number,
): Value {
  if (width === 32) {
    const rotated = b.pure(`i32.${op}`, b.wrap(left), b.wrap(count));
    return b.pure('i64.extend_i32_s', rotated);
  }
  const pattern = REPEAT[width];
  if (pattern === undefined) return b.pure(`i64.${op}`, left, count);
  const repeated = b.mul(b.zeroExtend(left, width), b.i64(pattern));
  return b.signExtend(b.pure(`i64.${op}`, repeated, count), width);
}

/** ROL: CF is the result's lowest bit; OF its top bit xor CF. SDM Vol. 2B "RCL/RCR/ROL/ROR". */
export const rol = define('rol', shiftForms(0), (b, [destination, source]) => {
  const width = destination.width;
  const left = destination.readForUpdate();
  const count = maskedCount(b, source, width);
  const result = rotate(b, 'rotl', left, count, width);
  destination.write(result);
  updateFlagsWhen(b, b.nez(count), {
    carry: b.and(b.wrap(result), b.i32(1)),
    overflowSign: b.xor(result, b.shl(result, b.i64(63))),
  });
});

/** ROR: CF is the result's top bit; OF the xor of its two top bits. */
export const ror = define('ror', shiftForms(1), (b, [destination, source]) => {
  const width = destination.width;
  const left = destination.readForUpdate();
  const count = maskedCount(b, source, width);
  const result = rotate(b, 'rotr', left, count, width);
  destination.write(result);
  const second = b.shl(result, b.i64(65 - width));
  updateFlagsWhen(b, b.nez(count), {
    carry: b.wrap(b.shrU(result, b.i64(63))),
    overflowSign: b.xor(result, second),
  });
});

interface ThroughCarry {
  /** sign-extended from the operand's width */
  readonly result: Value;
  /** i64 0 or 1 */
  readonly carry: Value;
}

/** The masked count, cut further to the period `width` + 1 where that is smaller. */
function countThroughCarry(b: Semantics, count: Value, width: number): Value {
  return width < 32 ? b.pure('i64.rem_u', count, b.i64(width + 1)) : count;
}

/** Carry and operand as one number of `width` + 1 bits (`width` up to 32). */
function withCarry(b: Semantics, left: Value, width: number): Value {
  return b.or(b.zeroExtend(left, width), b.shl(b.widen(b.carry), b.i64(width)));
}

function split(b: Semantics, joined: Value, width: number): ThroughCarry {
  return {
    result: b.signExtend(joined, width),
    carry: b.and(b.shrU(joined, b.i64(width)), b.i64(1)),
  };
}

function rotateLeftThroughCarry(
  b: Semantics,
  left: Value,
  count: Value,
  width: number,
): ThroughCarry {
  if (width < 64) {
    const joined = withCarry(b, left, width);
    const wrapped = b.shrU(joined, b.sub(b.i64(width + 1), count));
    return split(b, b.or(b.shl(joined, count), wrapped), width);
  }
  const carryIn = b.widen(b.carry);
  const back = b.sub(b.i64(64), count);
  const moved = b.or(b.shl(left, count), b.shl(carryIn, b.sub(count, b.i64(1))));
  const wrapped = b.shrU(b.shrU(left, b.i64(1)), back);
  const some = b.nez(count);
  return {
    result: b.select(some, b.or(moved, wrapped), left),
    carry: b.select(some, b.and(b.shrU(left, back), b.i64(1)), carryIn),
  };
}

function rotateRightThroughCarry(
  b: Semantics,
  left: Value,
  count: Value,
  width: number,
): ThroughCarry {
  if (width < 64) {
    const joined = withCarry(b, left, width);
    const wrapped = b.shl(joined, b.sub(b.i64(width + 1), count));
    return split(b, b.or(b.shrU(joined, count), wrapped), width);
  }
  const carryIn = b.widen(b.carry);
  const back = b.sub(b.i64(64), count);
  const moved = b.or(b.shrU(left, count), b.shl(carryIn, back));
  const wrapped = b.shl(b.shl(left, b.i64(1)), back);
  const some = b.nez(count);
  return {
    result: b.select(some, b.or(moved, wrapped), left),
    carry: b.select(some, b.and(b.shrU(left, b.sub(count, b.i64(1))), b.i64(1)), carryIn),
  };
}

/** RCL: OF (defined for a count of 1) is the result's top bit xor the new CF. */
export const rcl = define('rcl', shiftForms(2), (b, [destination, source]) => {
  const width = destination.width;
  const left = destination.readForUpdate();
  const masked = maskedCount(b, source, width);
  const count = countThroughCarry(b, masked, width);
  const { result, carry } = rotateLeftThroughCarry(b, left, count, width);
  destination.write(result);
  updateFlagsWhen(b, b.nez(masked), {
    carry: b.wrap(carry),
    overflowSign: b.xor(result, b.shl(carry, b.i64(63))),
  });
});

/** RCR: OF (defined for a count of 1) is the xor of the result's two top bits. */
export const rcr = define('rcr', shiftForms(3), (b, [destination, source]) => {
  const width = destination.width;
  const left = destination.readForUpdate();
  const masked = maskedCount(b, source, width);
  const count = countThroughCarry(b, masked, width);
  const { result, carry } = rotateRightThroughCarry(b, left, count, width);
  destination.write(result);
  updateFlagsWhen(b, b.nez(masked), {
    carry: b.wrap(carry),
    overflowSign: b.xor(result, b.shl(result, b.i64(65 - width))),
  });
});

export const rotateInstructions: readonly Instruction[] = [rol, ror, rcl, rcr];
