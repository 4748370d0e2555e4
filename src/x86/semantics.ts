import { Builder, type FieldRef, type MemoryWidth, type Slot, type Value } from '../ir/mod.ts';
import { GP } from './fault.ts';
import { integerAccess, type Operand } from './operand.ts';
import { helperArea } from './segment-areas.ts';
import { WRITES } from './segment-limits.ts';
import type { ResolvedOperands, Shape } from './shape.ts';
import { CS, gprOffset, RSP, SEGMENT, SS, STATE, segmentBaseOffset } from './state.ts';

const fixed = (offset: number): FieldRef => ({ kind: 'fixed', offset });

function movedField(field: FieldRef, by: number): FieldRef {
  return field.kind === 'fixed'
    ? fixed(field.offset + by)
    : { ...field, displacement: field.displacement + by };
}

/** Where in a segment a linear address lies. */
interface SegmentPlace {
  /** state field of the segment's base */
  readonly segment: FieldRef;
  readonly offset: Value;
  readonly displacement: number;
}

/**
 * What may be known of a vector register: the numbers in it are neither denormal nor NaN, so that arithmetic
 * on them raises no exception of theirs.
 */
export const FACT = {
  /** the low double */
  double: 1,
  /** both doubles of the low half */
  doubles: 2,
  /** the low single */
  single: 4,
  /** all four singles of the low half */
  singles: 8,
  all: 15,
} as const;

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

  /**
   * True where an instruction that cannot go on is begun again by a handler, which then does it from its
   * start: faults need no care there.
   */
  get isTranslated(): boolean {
    return false;
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

  /** Outside 64-bit mode: every segment that the instruction uses begins at address 0. */
  get isFlat(): boolean {
    return this.shape.mode !== 64 && this.shape.checked !== true;
  }

  /** Base address of segment register `index` (ES, CS, SS or DS); constant 0 where it is that. */
  segmentBase(index: number): Value {
    if (this.shape.mode === 64 || this.isFlat) return this.i64(0);
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

  // --- floating point

  /** In the block of a guard, helpers are not called but leave the compiled code: nothing comes after them. */
  get helpersLeave(): boolean {
    return false;
  }

  /** Goes on when all conditions hold; else runs `otherwise`, and goes on when that falls out. */
  guard(conditions: readonly Value[], otherwise: () => void): void {
    const all = conditions.reduce((x, y) => this.and(x, y), this.i32(1));
    this.if(this.eqz(all), otherwise);
  }

  /** MXCSR & mask == value, as i32. */
  mxcsrIs(mask: number, value: number): Value {
    return this.eq(this.and(this.readField32(STATE.mxcsr), this.i32(mask)), this.i32(value));
  }

  /** True when it is known, while the code is built, that `facts` hold of the vector register `operand`. */
  knows(_operand: Operand, _facts: number): boolean {
    return false;
  }

  /** From the end of the instruction on `facts` hold of the vector register `operand`: see FACT. */
  learn(_operand: Operand, _facts: number): void {}

  /** The same facts as of `source` hold of `destination` behind the instruction, as far as `facts` goes. */
  learnSame(_destination: Operand, _source: Operand, _facts: number): void {}

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
    const inStack = this.zeroExtend(offset, this.shape.stackSize);
    if (this.isFlat) return inStack;
    const linear = this.zeroExtend(this.add(this.segmentBase(SS), inStack), 32);
    return this.inSegment(linear, fixed(segmentBaseOffset(SS)), inStack);
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

  /** #GP(0) when a near branch to `target` would leave the code segment. */
  checkCodeLimit(target: Value): void {
    if (this.shape.checked !== true) return;
    const limit = STATE.segments + CS * SEGMENT.bytes + SEGMENT.limit;
    const last = this.readState(fixed(limit), 'i64.32u');
    this.if(this.gtU(this.zeroExtend(target, this.shape.operandSize), last), () => this.fault(GP));
  }

  /** The same for the instruction's relative target. Before anything else that the branch does. */
  checkRelativeTarget(): void {
    if (this.shape.checked !== true) return;
    this.checkCodeLimit(this.add(this.nextRip(), this.parameter('displacement')));
  }

  /**
   * Branch to the relative target. In 64-bit mode an operand size of 16 bits cuts RIP, as on AMD's
   * processors; Intel's ignore the prefix. APM Vol. 3 "JMP (Near)".
   */
  goRelative(): void {
    if (this.shape.mode === 64 && this.shape.operandSize === 16) {
      this.branchNear(this.add(this.nextRip(), this.parameter('displacement')));
    } else this.branchRelative();
  }

  /** Checks the relative target, then branches there. */
  jumpRelative(): void {
    this.checkRelativeTarget();
    this.goRelative();
  }

  // --- segments, in shapes that are checked

  /** Linear addresses that lie in a segment, and where. */
  readonly #places = new Map<Value, SegmentPlace>();
  /** checks that were made on the way to here, outside of branches */
  readonly #made: { place: SegmentPlace; bytes: number; writes: boolean }[] = [];
  #depth = 0;

  /**
   * Says that `address` is `offset` of the segment whose base is the state field `segment`: accesses
   * through it, also with a constant added, are checked. Returns `address`.
   */
  inSegment(address: Value, segment: FieldRef, offset: Value): Value {
    if (this.shape.checked === true)
      this.#places.set(address, { segment, offset, displacement: 0 });
    return address;
  }

  /** The segment base field that `address` was formed with, if it is checked. */
  segmentOf(address: Value): FieldRef | undefined {
    return this.#places.get(address)?.segment;
  }

  /** Checks an access of `bytes` at `address` against its segment. SDM Vol. 3A, 5.3 and 5.4.1. */
  checkAccess(address: Value, bytes: number, writes: boolean): void {
    const place = this.#places.get(address);
    if (place === undefined || this.#isMade(place, bytes, writes)) return;
    if (this.#depth === 0) this.#made.push({ place, bytes, writes });
    const { segment, displacement } = place;
    const offset =
      displacement === 0 ? place.offset : this.add(place.offset, this.i64(displacement));
    const top = this.readState(
      movedField(segment, (writes ? SEGMENT.writeTop : SEGMENT.readTop) - SEGMENT.base),
      'i64.32u',
    );
    const inside = this.ltU(this.add(offset, this.i64(bytes - 1)), top);
    this.if(this.eqz(inside), () => {
      // From the operand's beginning on: an offset beyond 32 bits would wrap around.
      const before = Math.max(displacement, 0);
      const from = this.wrap(before > 0 ? place.offset : offset);
      const size = this.i32((before + bytes) | (writes ? WRITES : 0));
      super.helper('checkSegment', this.fieldOffset(segment), from, size);
    });
  }

  /** A segment has no holes: what lies between two places that were checked is checked. */
  #isMade(place: SegmentPlace, bytes: number, writes: boolean): boolean {
    const made = this.#made.filter(
      (each) =>
        each.place.offset === place.offset &&
        each.place.segment === place.segment &&
        (each.writes || !writes),
    );
    return (
      made.some((each) => each.place.displacement <= place.displacement) &&
      made.some((each) => each.place.displacement + each.bytes >= place.displacement + bytes)
    );
  }

  override load(address: Value, width: MemoryWidth, signed = false): Value {
    this.checkAccess(address, width / 8, false);
    return super.load(address, width, signed);
  }

  override store(address: Value, width: MemoryWidth, value: Value): void {
    this.checkAccess(address, width / 8, true);
    super.store(address, width, value);
  }

  override loadForUpdate(address: Value, width: MemoryWidth, signed = false): Value {
    this.checkAccess(address, width / 8, true);
    return super.loadForUpdate(address, width, signed);
  }

  override helper(name: string, ...args: Value[]): void {
    if (this.#places.size > 0) {
      const area = helperArea(name, args);
      if (area !== undefined)
        this.checkAccess(args[area.address] as Value, area.bytes, area.writes);
    }
    super.helper(name, ...args);
  }

  override add(x: Value, y: Value): Value {
    const sum = super.add(x, y);
    const place = this.#places.get(x);
    if (place !== undefined && y.op === 'const') {
      const displacement = place.displacement + Number(BigInt.asIntN(64, y.imm as bigint));
      this.#places.set(sum, { ...place, displacement });
    }
    return sum;
  }

  override zeroExtend(x: Value, width: number): Value {
    const extended = super.zeroExtend(x, width);
    const place = width >= 32 ? this.#places.get(x) : undefined;
    if (place !== undefined) this.#places.set(extended, place);
    return extended;
  }

  override if(condition: Value, then: () => void, otherwise?: () => void): void {
    this.#depth++;
    super.if(condition, then, otherwise);
    this.#depth--;
  }

  override loop(body: () => Value): void {
    this.#depth++;
    super.loop(body);
    this.#depth--;
  }

  protected override dialectBlock(op: string, args: readonly Value[], build: () => void): void {
    this.#depth++;
    super.dialectBlock(op, args, build);
    this.#depth--;
  }
}
