import type { Value } from '../../ir/mod.ts';
import { EFLAGS } from '../cpu-state.ts';
import type { Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';

/** New values of flag fields, in the representation of state.ts. A field left out keeps its value. */
export interface FlagUpdate {
  /** ZF, SF and PF of a sign-extended result */
  readonly result?: Value;
  /** CF, i32 0 or 1 */
  readonly carry?: Value;
  /** OF in the sign bit */
  readonly overflowSign?: Value;
  /** AF in bit 4 */
  readonly adjustBit4?: Value;
}

/** Writes the flags of `update` where the i32 `condition` is 1, and leaves them otherwise. */
export function updateFlagsWhen(b: Semantics, condition: Value, update: FlagUpdate): void {
  const { result, carry, overflowSign, adjustBit4 } = update;
  if (result !== undefined) {
    b.writeField(STATE.flagZ, b.select(condition, result, b.readField(STATE.flagZ)));
    b.writeField(STATE.flagS, b.select(condition, result, b.readField(STATE.flagS)));
  }
  if (carry !== undefined) b.setCarry(b.select(condition, carry, b.carry));
  if (overflowSign !== undefined) {
    b.setOverflowSign(b.select(condition, overflowSign, b.readField(STATE.flagO)));
  }
  if (adjustBit4 !== undefined) {
    b.setAdjustBit4(b.select(condition, adjustBit4, b.readField(STATE.flagA)));
  }
}

/** SF, ZF, AF, PF and CF as EFLAGS bits 0 to 7 (bit 1 set), i64. SDM Vol. 1, 3.4.3. */
export function lowFlagBits(b: Semantics): Value {
  const place = (flag: Value, bit: number) => b.shl(flag, b.i32(bit));
  let bits = b.or(b.carry, b.i32(2));
  bits = b.or(bits, place(b.parityFlag, 2));
  bits = b.or(bits, place(b.adjustFlag, 4));
  bits = b.or(bits, place(b.zeroFlag, 6));
  bits = b.or(bits, place(b.signFlag, 7));
  return b.widen(bits);
}

/** Sets SF, ZF, AF, PF and CF from EFLAGS bits 0 to 7 of an i64. */
export function setLowFlagBits(b: Semantics, bits: Value): void {
  b.setCarry(b.and(b.wrap(bits), b.i32(1)));
  b.setAdjustBit4(bits);
  const inverted = b.not(bits);
  b.writeField(STATE.flagZ, b.and(inverted, b.i64(0x40)));
  // Bit 7 becomes the sign; an odd low byte (1) stands for PF = 0.
  const oddWhenClear = b.and(b.shrU(inverted, b.i64(2)), b.i64(1));
  b.writeField(STATE.flagS, b.or(b.shl(bits, b.i64(56)), oddWhenClear));
}

/** The whole of EFLAGS, i64. */
export function allFlags(b: Semantics): Value {
  const overflow = b.shl(b.overflowFlag, b.i32(11));
  return b.or(b.widen(b.or(b.readField32(STATE.eflags), overflow)), lowFlagBits(b));
}

/** Flags that software can hold in EFLAGS and that are not kept in fields of their own; bit 1 is always set. */
const SYSTEM_FLAGS =
  EFLAGS.TF |
  EFLAGS.IF |
  EFLAGS.DF |
  EFLAGS.IOPL |
  EFLAGS.NT |
  EFLAGS.RF |
  EFLAGS.VM |
  EFLAGS.AC |
  EFLAGS.VIF |
  EFLAGS.VIP |
  EFLAGS.ID;

/** Sets EFLAGS from the i32 `flags`. What depends on flags (interrupts, traps, TLBs) is the caller's. */
export function setAllFlags(b: Semantics, flags: Value): void {
  const system = b.or(b.and(flags, b.i32(SYSTEM_FLAGS)), b.i32(2));
  b.writeField32(STATE.eflags, system);
  const wide = b.widen(flags);
  setLowFlagBits(b, wide);
  b.setOverflowSign(b.shl(wide, b.i64(52)));
}

/** ZF = SF = PF = 0. */
export function clearResultFlags(b: Semantics): void {
  b.writeField(STATE.flagZ, b.i64(1));
  b.writeField(STATE.flagS, b.i64(1));
}

/** CF = OF = SF = PF = AF = 0, ZF set when `value` is zero: POPCNT's flags. */
export function flagsZeroOnly(b: Semantics, value: Value): void {
  b.setZeroFrom(value);
  b.writeField(STATE.flagS, b.i64(1));
  b.setCarry(b.i32(0));
  b.setOverflowSign(b.i64(0));
  b.setAdjustBit4(b.i64(0));
}
