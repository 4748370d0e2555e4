import { Builder, type FieldRef, type MemoryWidth, type Slot, type Value } from '../ir/mod.ts';
import { integerAccess } from './operand.ts';
import type { ResolvedOperands, Shape } from './shape.ts';
import { gprOffset, RSP, SS, STATE, segmentBaseOffset } from './state.ts';

const fixed = (offset: number): FieldRef => ({ kind: 'fixed', offset });

/**
 * The builder that instruction meanings run over: the intermediate form plus what every x86
 * instruction shares (registers, lazy flags, stack, branches).
 *
 * With `operands` given, every slot and parameter is a constant (regions, reference); without, they
 * are read from the decoded-instruction record at run time (handlers).
 */
export class Semantics extends Builder {
  readonly shape: Shape;
  readonly #operands: ResolvedOperands | undefined;

  constructor(shape: Shape, operands?: ResolvedOperands) {
    super();
    this.shape = shape;
    this.#operands = operands;
  }

  // --- operands of the record

  slot(slot: Slot, displacement = 0): FieldRef {
    const operands = this.#operands;
    if (operands !== undefined) return fixed(operands.slots[slot] + displacement);
    return { kind: 'slot', slot, displacement };
  }

  override parameter(which: 'immediate' | 'displacement' | 'scale' | 'nextRip' | 'rip'): Value {
    const operands = this.#operands;
    if (operands !== undefined) {
      if (which === 'immediate') return this.i64(operands.immediate);
      if (which === 'displacement') return this.i64(operands.displacement);
      if (which === 'scale') return this.i32(operands.scale);
    }
    return super.parameter(which);
  }

  /** State offset that `field` resolves to, as an i32 value. */
  fieldOffset(field: FieldRef): Value {
    if (field.kind === 'fixed') return this.i32(field.offset);
    return this.slotOffset(field.slot, field.displacement);
  }

  // --- registers

  /** General register `index` (RAX..R15), low `width` bits sign-extended to i64. */
  readGpr(index: number, width: number): Value {
    return this.readState(fixed(gprOffset(index)), integerAccess(width, true));
  }

  readGprUnsigned(index: number, width: number): Value {
    return this.readState(fixed(gprOffset(index)), integerAccess(width, false));
  }

  /** Writes the low `width` bits; 32-bit writes clear the upper half, 8 and 16 leave the rest. */
  writeGpr(index: number, width: number, value: Value): void {
    if (width === 32) this.writeState(fixed(gprOffset(index)), 'i64', this.zeroExtend(value, 32));
    else this.writeState(fixed(gprOffset(index)), integerAccess(width, false), value);
  }

  /** AH, CH, DH, BH (`index` 0 to 3), sign-extended. */
  readHighByte(index: number): Value {
    return this.readState(fixed(gprOffset(index) + 1), 'i64.8s');
  }

  writeHighByte(index: number, value: Value): void {
    this.writeState(fixed(gprOffset(index) + 1), 'i64.8u', value);
  }

  /** A 64-bit state field by its offset (STATE.efer, segment base ...). */
  readField(offset: number): Value {
    return this.readState(fixed(offset), 'i64');
  }

  writeField(offset: number, value: Value): void {
    this.writeState(fixed(offset), 'i64', value);
  }

  /** A 32-bit state field by its offset, i32. */
  readField32(offset: number): Value {
    return this.readState(fixed(offset), 'i32');
  }

  writeField32(offset: number, value: Value): void {
    this.writeState(fixed(offset), 'i32', value);
  }

  /** Base address of segment register `index`; constant 0 where 64-bit mode ignores it. */
  segmentBase(index: number): Value {
    if (this.shape.mode === 64 && index < 4) return this.i64(0);
    return this.readField(segmentBaseOffset(index));
  }

  // --- flags, in the representation of state.ts

  /** CF as i32. */
  get carry(): Value {
    return this.readField32(STATE.flagC);
  }
  setCarry(value: Value): void {
    this.writeField32(STATE.flagC, value);
  }
  /** Sets OF from the sign bit of an i64. */
  setOverflowSign(value: Value): void {
    this.writeField(STATE.flagO, value);
  }
  /** Sets AF from bit 4 of an i64. */
  setAdjustBit4(value: Value): void {
    this.writeField(STATE.flagA, value);
  }
  /** Sets ZF, SF and PF from a sign-extended result. */
  setResult(result: Value): void {
    this.writeField(STATE.flagZ, result);
    this.writeField(STATE.flagS, result);
  }
  /** Sets ZF alone: set when the i64 is zero. */
  setZeroFrom(value: Value): void {
    this.writeField(STATE.flagZ, value);
  }

  /** All six flags of `sum = left + right (+ carryIn)`, values sign-extended from the operand width. */
  flagsAdd(left: Value, right: Value, sum: Value, carryIn?: Value): void {
    const overflow = this.and(this.xor(left, sum), this.xor(right, sum));
    this.setResult(sum);
    this.setOverflowSign(overflow);
    this.setAdjustBit4(this.xor(this.xor(left, right), sum));
    const below = this.ltU(sum, left);
    this.setCarry(
      carryIn === undefined ? below : this.or(below, this.and(carryIn, this.eq(sum, left))),
    );
  }

  /** All six flags of `difference = left - right (- borrowIn)`. */
  flagsSub(left: Value, right: Value, difference: Value, borrowIn?: Value): void {
    this.setResult(difference);
    this.setOverflowSign(this.and(this.xor(left, right), this.xor(left, difference)));
    this.setAdjustBit4(this.xor(this.xor(left, right), difference));
    const below = this.ltU(left, right);
    this.setCarry(
      borrowIn === undefined ? below : this.or(below, this.and(borrowIn, this.eq(left, right))),
    );
  }

  /** Flags of AND, OR, XOR, TEST: CF = OF = 0; AF (undefined) cleared. */
  flagsLogic(result: Value): void {
    this.setResult(result);
    this.setCarry(this.i32(0));
    this.setOverflowSign(this.i64(0));
    this.setAdjustBit4(this.i64(0));
  }

  /** Condition `code` (0 to 15: O NO B NB Z NZ BE NBE S NS P NP L NL LE NLE) as i32 0 or 1. */
  condition(code: number): Value {
    const holds = this.#positiveCondition(code >> 1);
    return (code & 1) === 0 ? holds : this.eqz(holds);
  }

  get zeroFlag(): Value {
    return this.eqz(this.readField(STATE.flagZ));
  }
  get signFlag(): Value {
    return this.ltS(this.readField(STATE.flagS), this.i64(0));
  }
  get overflowFlag(): Value {
    return this.ltS(this.readField(STATE.flagO), this.i64(0));
  }
  get parityFlag(): Value {
    const low = this.and(this.wrap(this.readField(STATE.flagS)), this.i32(0xff));
    return this.eqz(this.and(this.pure('i32.popcnt', low), this.i32(1)));
  }
  get adjustFlag(): Value {
    return this.and(this.wrap(this.shrU(this.readField(STATE.flagA), this.i64(4))), this.i32(1));
  }

  #positiveCondition(pair: number): Value {
    switch (pair) {
      case 0:
        return this.overflowFlag;
      case 1:
        return this.carry;
      case 2:
        return this.zeroFlag;
      case 3:
        return this.or(this.carry, this.zeroFlag);
      case 4:
        return this.signFlag;
      case 5:
        return this.parityFlag;
      case 6:
        return this.#less();
      default:
        return this.or(this.zeroFlag, this.#less());
    }
  }

  /** SF ≠ OF: the signs of flagS and flagO differ. */
  #less(): Value {
    return this.ltS(
      this.xor(this.readField(STATE.flagS), this.readField(STATE.flagO)),
      this.i64(0),
    );
  }

  // --- stack

  /** Stack pointer as an address offset: i64, zero-extended from the stack's width. */
  stackPointer(): Value {
    return this.readGprUnsigned(RSP, this.shape.stackSize);
  }

  setStackPointer(value: Value): void {
    this.writeGpr(RSP, this.shape.stackSize, value);
  }

  /** Linear address of a stack offset. */
  stackAddress(offset: Value): Value {
    if (this.shape.mode === 64) return offset;
    const linear = this.add(this.segmentBase(SS), this.zeroExtend(offset, this.shape.stackSize));
    return this.zeroExtend(linear, 32);
  }

  /** Pushes the low `width` bits: stores first, then moves the stack pointer, so that a fault changes nothing. */
  push(width: MemoryWidth, value: Value): void {
    const next = this.sub(this.stackPointer(), this.i64(width / 8));
    this.store(this.stackAddress(next), width, value);
    this.setStackPointer(next);
  }

  /** Reads the top of the stack without moving the pointer: sign-extended i64. */
  peek(width: MemoryWidth): Value {
    return this.load(this.stackAddress(this.stackPointer()), width, true);
  }

  /** Moves the stack pointer up by `bytes`. */
  drop(bytes: number): void {
    this.setStackPointer(this.add(this.stackPointer(), this.i64(bytes)));
  }

  // --- control

  /** RIP of the next instruction, i64. Outside 64-bit mode EIP goes on to 32 bits, in 16-bit code too. */
  nextRip(): Value {
    const rip = this.parameter('nextRip');
    return this.shape.mode === 64 ? rip : this.zeroExtend(rip, 32);
  }

  /** Near branch to a value, cut to the operand size. */
  branchNear(target: Value): void {
    this.branch(this.zeroExtend(target, this.shape.operandSize));
  }
}
