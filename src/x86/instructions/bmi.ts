import type { Value } from '../../ir/mod.ts';
import { type Attribute, define, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { RDX, STATE } from '../state.ts';
import { multiplyHighUnsigned } from './multiply-high.ts';
import { rotate } from './rotate.ts';

/** BMI1 and BMI2, all VEX-encoded, over 32 or 64 bits by VEX.W. SDM Vol. 2. */
const vex = (prefix: string, rest: string, operands: string, ...attributes: Attribute[]) =>
  form(`VEX.128.${prefix} ${rest}`, operands, 'noreal', ...attributes);

/** ANDN: destination ← NOT first AND second. */
export const andn = define(
  'andn',
  [vex('NP.0F38', 'F2 /r', 'Gy By Ey', 'cpuid:bmi1')],
  (b, [destination, first, second]) => {
    const result = b.and(b.not(first.read()), second.read());
    destination.write(result);
    b.flagsLogic(result);
  },
);

/** BEXTR: the field of `length` (bits 8 to 15 of the control) bits at `start` (bits 0 to 7). */
export const bextr = define(
  'bextr',
  [vex('NP.0F38', 'F7 /r', 'Gy Ey By', 'cpuid:bmi1')],
  (b, [destination, source, control]) => {
    const fields = control.read();
    const start = b.zeroExtend(fields, 8);
    const length = b.zeroExtend(b.shrU(fields, b.i64(8)), 8);
    const shifted = b.select(
      b.ltU(start, b.i64(64)),
      b.shrU(source.readUnsigned(), start),
      b.i64(0),
    );
    const result = b.signExtend(keepLowBits(b, shifted, length), destination.width);
    destination.write(result);
    b.flagsLogic(result);
    // Of the undefined flags AMD processors set AF and clear SF.
    b.setAdjustBit4(b.i64(16));
    b.writeField(STATE.flagS, b.zeroExtend(result, 8));
  },
);

/** `value` with only its lowest `count` bits kept; all of them for counts from 64 on. */
function keepLowBits(b: Semantics, value: Value, count: Value): Value {
  const mask = b.sub(b.shl(b.i64(1), count), b.i64(1));
  return b.select(b.ltU(count, b.i64(64)), b.and(value, mask), value);
}

/** BLSI, BLSMSK, BLSR: the lowest set bit, alone, as a mask, or reset. */
function defineLowestBit(
  name: string,
  digit: number,
  combine: (b: Semantics, value: Value) => Value,
  carryWhenZero: boolean,
): Instruction {
  return define(
    name,
    [vex('NP.0F38', `F3 /${digit}`, 'By Ey', 'cpuid:bmi1')],
    (b, [destination, source]) => {
      const value = source.read();
      const result = b.signExtend(combine(b, value), destination.width);
      destination.write(result);
      b.flagsLogic(result);
      b.setCarry(carryWhenZero ? b.eqz(value) : b.nez(value));
    },
  );
}

const less1 = (b: Semantics, value: Value) => b.sub(value, b.i64(1));

export const blsr = defineLowestBit('blsr', 1, (b, x) => b.and(x, less1(b, x)), true);
export const blsmsk = defineLowestBit('blsmsk', 2, (b, x) => b.xor(x, less1(b, x)), true);
export const blsi = defineLowestBit('blsi', 3, (b, x) => b.and(x, b.neg(x)), false);

/** BZHI: the source with its bits from the index (bits 0 to 7) on cleared; CF when the index is too large. */
export const bzhi = define(
  'bzhi',
  [vex('NP.0F38', 'F5 /r', 'Gy Ey By', 'cpuid:bmi2')],
  (b, [destination, source, control]) => {
    const width = destination.width;
    const index = b.zeroExtend(control.read(), 8);
    const result = b.signExtend(keepLowBits(b, source.read(), index), width);
    destination.write(result);
    b.flagsLogic(result);
    b.setCarry(b.gtU(index, b.i64(width - 1)));
  },
);

/** MULX: high:low ← rDX × source, unsigned, without flags; of equal destinations the high half remains. */
export const mulx = define(
  'mulx',
  [vex('F2.0F38', 'F6 /r', 'Gy By Ey', 'cpuid:bmi2')],
  (b, [highHalf, lowHalf, source]) => {
    const width = source.width;
    const left = b.readGprUnsigned(RDX, width);
    const right = source.readUnsigned();
    const low = b.mul(left, right);
    const high = width === 64 ? multiplyHighUnsigned(b, left, right) : b.shrU(low, b.i64(width));
    lowHalf.write(low);
    highHalf.write(high);
  },
);

/** PDEP: the source's low bits deposited at the mask's set bits, lowest first. */
export const pdep = define(
  'pdep',
  [vex('F2.0F38', 'F5 /r', 'Gy By Ey', 'cpuid:bmi2')],
  (b, [destination, source, mask]) => {
    const rest = b.local('i64');
    const bits = b.local('i64');
    const result = b.local('i64');
    b.set(rest, mask.readUnsigned());
    b.set(bits, source.read());
    b.set(result, b.i64(0));
    b.loop(() => {
      const lowest = b.and(b.get(rest), b.neg(b.get(rest)));
      const chosen = b.and(lowest, b.neg(b.and(b.get(bits), b.i64(1))));
      b.set(result, b.or(b.get(result), chosen));
      b.set(bits, b.shrU(b.get(bits), b.i64(1)));
      b.set(rest, b.xor(b.get(rest), lowest));
      return b.nez(b.get(rest));
    });
    destination.write(b.get(result));
  },
);

/** PEXT: the source's bits at the mask's set bits, gathered from bit 0 on. */
export const pext = define(
  'pext',
  [vex('F3.0F38', 'F5 /r', 'Gy By Ey', 'cpuid:bmi2')],
  (b, [destination, source, mask]) => {
    const rest = b.local('i64');
    const place = b.local('i64');
    const result = b.local('i64');
    const bits = source.read();
    b.set(rest, mask.readUnsigned());
    b.set(place, b.i64(1));
    b.set(result, b.i64(0));
    b.loop(() => {
      const lowest = b.and(b.get(rest), b.neg(b.get(rest)));
      const isSet = b.nez(b.and(bits, lowest));
      b.set(result, b.or(b.get(result), b.select(isSet, b.get(place), b.i64(0))));
      b.set(place, b.shl(b.get(place), b.i64(1)));
      b.set(rest, b.xor(b.get(rest), lowest));
      return b.nez(b.get(rest));
    });
    destination.write(b.get(result));
  },
);

/** RORX, SARX, SHLX, SHRX: rotate and shifts without flags, counts taken modulo the width. */
function defineFlagless(
  name: string,
  prefix: string,
  shift: (b: Semantics, source: Operand, count: Value) => Value,
): Instruction {
  return define(
    name,
    [vex(`${prefix}.0F38`, 'F7 /r', 'Gy Ey By', 'cpuid:bmi2')],
    (b, [destination, source, control]) => {
      const count = b.and(control.read(), b.i64(destination.width - 1));
      destination.write(shift(b, source, count));
    },
  );
}

export const shlx = defineFlagless('shlx', '66', (b, x, count) => b.shl(x.read(), count));
export const sarx = defineFlagless('sarx', 'F3', (b, x, count) => b.shrS(x.read(), count));
export const shrx = defineFlagless('shrx', 'F2', (b, x, count) => b.shrU(x.readUnsigned(), count));

export const rorx = define(
  'rorx',
  [vex('F2.0F3A', 'F0 /r ib', 'Gy Ey Ib', 'cpuid:bmi2')],
  (b, [destination, source, immediate]) => {
    destination.write(rotate(b, 'rotr', source.read(), immediate.read(), destination.width));
  },
);

export const bmiInstructions: readonly Instruction[] = [
  andn,
  bextr,
  blsr,
  blsmsk,
  blsi,
  bzhi,
  mulx,
  pdep,
  pext,
  shlx,
  sarx,
  shrx,
  rorx,
];
