import type { Access, FieldRef, MemoryWidth, Value } from '../ir/mod.ts';
import type { Semantics } from './semantics.ts';

/**
 * A typed operand of an instruction, over registers, memory or an immediate.
 *
 * Integers up to 64 bits travel as i64. `read` gives them sign-extended from the operand's width,
 * which is the form the flag formulas expect; `write` takes the low bits of any i64.
 *
 * Operand letters (SDM Vol. 2D, A.2.1) and size suffixes:
 *   E general register or memory   G general register (ModRM.reg)   M memory only   R register only (rm)
 *   I immediate   J relative target   O absolute offset   Z register in the opcode byte (+r)
 *   V vector register (reg)  W vector register or memory  U vector register (rm)  H vector register (VEX.vvvv)
 *   P MMX register (reg)  Q MMX register or memory  N MMX register (rm)  L vector register (imm8[7:4])
 *   S segment register (reg)  C control register  D debug register  B general register (VEX.vvvv)
 *   fixed: AL CL DX AX eAX rAX (by operand size) 1
 *   b 8  w 16  d 32  q 64  v 16/32/64 by operand size  z 16/32 (immediates sign-extended)  y 32/64 by REX.W
 *   dq x ps pd 128  qq 256  ss 32  sd 64  p far pointer  a bound pair  s descriptor-table register (6/10 bytes)
 */
export interface Operand {
  /** width in bits */
  readonly width: number;
  readonly kind: 'register' | 'memory' | 'immediate' | 'vector' | 'mmx' | 'other';

  /** Sign-extended i64 of the low `width` (at most 64) bits. */
  read(): Value;
  /** Zero-extended i64. */
  readUnsigned(): Value;
  /** Sign-extended i64; a `write` that follows completes a read-modify-write on the same place. */
  readForUpdate(): Value;
  /** Low `width` bits. A 32-bit general register is zero-extended to 64; 8 and 16 bits leave the rest. */
  write(value: Value): void;

  /** Linear address of a memory operand, i64. */
  address(): Value;
  /** Effective address (offset without segment base) of a memory operand, i64. */
  offset(): Value;

  /** 128 bits at byte `at` (0, or 16 for the upper YMM half). Memory: address + at. */
  readVector(at?: number): Value;
  writeVector(value: Value, at?: number): void;
  /** Element of `width` bits at byte `at` of a vector or memory operand: zero-extended i64. */
  readElement(width: 8 | 16 | 32 | 64, at?: number): Value;
  /** Writes one element and leaves the rest of a vector register unchanged. */
  writeElement(width: 8 | 16 | 32 | 64, value: Value, at?: number): void;
  /** State offset of a register operand, as an i32 value (for helpers). */
  stateOffset(): Value;
}

const SIGNED: Record<number, Access> = { 8: 'i64.8s', 16: 'i64.16s', 32: 'i64.32s', 64: 'i64' };
const UNSIGNED: Record<number, Access> = { 8: 'i64.8u', 16: 'i64.16u', 32: 'i64.32u', 64: 'i64' };

/** The access that reads `width` bits widened to i64. */
export function integerAccess(width: number, signed: boolean): Access {
  const access = (signed ? SIGNED : UNSIGNED)[width];
  if (access === undefined) throw new Error(`Vivarium internal error: no access of ${width} bits`);
  return access;
}

function shifted(field: FieldRef, by: number): FieldRef {
  if (by === 0) return field;
  return field.kind === 'fixed'
    ? { kind: 'fixed', offset: field.offset + by }
    : { kind: 'slot', slot: field.slot, displacement: field.displacement + by };
}

abstract class BaseOperand implements Operand {
  abstract readonly kind: Operand['kind'];
  readonly width: number;
  protected readonly b: Semantics;

  constructor(b: Semantics, width: number) {
    this.b = b;
    this.width = width;
  }

  read(): Value {
    return this.no('read');
  }
  readUnsigned(): Value {
    return this.b.zeroExtend(this.read(), this.width);
  }
  readForUpdate(): Value {
    return this.read();
  }
  write(_value: Value): void {
    this.no('write');
  }
  address(): Value {
    return this.no('address');
  }
  offset(): Value {
    return this.no('offset');
  }
  readVector(_at?: number): Value {
    return this.no('readVector');
  }
  writeVector(_value: Value, _at?: number): void {
    this.no('writeVector');
  }
  readElement(_width: 8 | 16 | 32 | 64, _at?: number): Value {
    return this.no('readElement');
  }
  writeElement(_width: 8 | 16 | 32 | 64, _value: Value, _at?: number): void {
    this.no('writeElement');
  }
  stateOffset(): Value {
    return this.no('stateOffset');
  }

  protected no(what: string): never {
    throw new Error(`Vivarium internal error: ${what} on a ${this.kind} operand`);
  }
}

/** A register of up to 64 bits: general, segment selector storage, MMX. */
export class RegisterOperand extends BaseOperand {
  readonly kind: 'register' | 'vector' | 'mmx';
  readonly field: FieldRef;

  constructor(
    b: Semantics,
    width: number,
    field: FieldRef,
    kind: 'register' | 'vector' | 'mmx' = 'register',
  ) {
    super(b, width);
    this.field = field;
    this.kind = kind;
  }

  override read(): Value {
    return this.b.readState(this.field, integerAccess(this.width, true));
  }
  override readUnsigned(): Value {
    return this.b.readState(this.field, integerAccess(this.width, false));
  }
  override write(value: Value): void {
    if (this.width === 32 && this.kind === 'register') {
      this.b.writeState(this.field, 'i64', this.b.zeroExtend(value, 32));
    } else {
      this.b.writeState(this.field, integerAccess(this.width, false), value);
    }
  }
  override readVector(at = 0): Value {
    return this.b.readState(shifted(this.field, at), 'v128');
  }
  override writeVector(value: Value, at = 0): void {
    this.b.writeState(shifted(this.field, at), 'v128', value);
  }
  override readElement(width: 8 | 16 | 32 | 64, at = 0): Value {
    return this.b.readState(shifted(this.field, at), integerAccess(width, false));
  }
  override writeElement(width: 8 | 16 | 32 | 64, value: Value, at = 0): void {
    this.b.writeState(shifted(this.field, at), integerAccess(width, false), value);
  }
  override stateOffset(): Value {
    return this.b.fieldOffset(this.field);
  }
}

/** A memory operand. Its address is formed once, before the meaning runs. */
export class MemoryOperand extends BaseOperand {
  readonly kind = 'memory';
  readonly #offset: Value;
  readonly #address: Value;
  #update: Value | undefined;

  constructor(b: Semantics, width: number, offset: Value, address: Value) {
    super(b, width);
    this.#offset = offset;
    this.#address = address;
  }

  override read(): Value {
    return this.b.load(this.#address, this.width as MemoryWidth, true);
  }
  override readUnsigned(): Value {
    return this.b.load(this.#address, this.width as MemoryWidth, false);
  }
  override readForUpdate(): Value {
    this.#update = this.b.loadForUpdate(this.#address, this.width as MemoryWidth, true);
    return this.#update;
  }
  override write(value: Value): void {
    if (this.#update !== undefined) this.b.storeBack(this.#update, value);
    else this.b.store(this.#address, this.width as MemoryWidth, value);
  }
  override address(): Value {
    return this.#address;
  }
  override offset(): Value {
    return this.#offset;
  }
  override readVector(at = 0): Value {
    return this.b.load(this.#at(at), 128);
  }
  override writeVector(value: Value, at = 0): void {
    this.b.store(this.#at(at), 128, value);
  }
  override readElement(width: 8 | 16 | 32 | 64, at = 0): Value {
    return this.b.load(this.#at(at), width);
  }
  override writeElement(width: 8 | 16 | 32 | 64, value: Value, at = 0): void {
    this.b.store(this.#at(at), width, value);
  }

  #at(bytes: number): Value {
    return bytes === 0 ? this.#address : this.b.add(this.#address, this.b.i64(bytes));
  }
}

/** An immediate, already sign-extended by the decoder where the manual says so. */
export class ImmediateOperand extends BaseOperand {
  readonly kind = 'immediate';

  override read(): Value {
    return this.b.signExtend(this.b.parameter('immediate'), this.width);
  }
  override readUnsigned(): Value {
    return this.b.zeroExtend(this.b.parameter('immediate'), this.width);
  }
}

/** The constant 1 of the shift-by-one encodings. */
export class OneOperand extends BaseOperand {
  readonly kind = 'immediate';

  override read(): Value {
    return this.b.i64(1);
  }
}

/** A relative branch target: known to the emitter alone. */
export class TargetOperand extends BaseOperand {
  readonly kind = 'other';
}

/** A register named by number where a field offset would not do (segment, control, debug register). */
export class NumberOperand extends BaseOperand {
  readonly kind = 'other';

  /** The register's number, i64. */
  override read(): Value {
    return this.b.parameter('immediate');
  }
}
