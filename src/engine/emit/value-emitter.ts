import {
  type Access,
  type Block,
  type Body,
  decodeLoad,
  type FieldRef,
  type Node,
  opRow,
  type Type,
} from '../../ir/mod.ts';
import { assert } from '../../util/mod.ts';
import { F32, F64, type FunctionWriter, I32, I64, V128, type ValueType } from '../../wasm/mod.ts';
import { LOAD } from './accesses.ts';

export const VALUE_TYPE: Record<Type, ValueType> = {
  i32: I32,
  i64: I64,
  f32: F32,
  f64: F64,
  v128: V128,
};

/** 64-bit ops whose low half needs the low halves of their arguments alone, as i32 ops. */
const NARROW_OPS: Record<string, number> = {
  'i64.add': 0x6a,
  'i64.sub': 0x6b,
  'i64.mul': 0x6c,
  'i64.and': 0x71,
  'i64.or': 0x72,
  'i64.xor': 0x73,
};

const MASK32 = 0xffff_ffffn;
const MASK31 = 0x7fff_ffffn;

/** A local that holds a floating-point number. */
export interface FloatLocal {
  readonly local: number;
  readonly type: typeof F32 | typeof F64;
}

const I32_REINTERPRET_F32 = 0xbc;
const I64_REINTERPRET_F64 = 0xbd;

/** Ops over the bits of a number, as ops over the number: opcode, and whether a lane follows. */
const FLOAT_FORMS: Record<
  string,
  { readonly type: typeof F32 | typeof F64; readonly wasm: readonly number[]; lane?: boolean }
> = {
  'f64.reinterpret_i64': { type: F64, wasm: [] },
  'f32.reinterpret_i32': { type: F32, wasm: [] },
  'i64x2.splat': { type: F64, wasm: [0xfd, 0x14] },
  'i32x4.splat': { type: F32, wasm: [0xfd, 0x13] },
  'i64x2.replace_lane': { type: F64, wasm: [0xfd, 0x22], lane: true },
  'i32x4.replace_lane': { type: F32, wasm: [0xfd, 0x20], lane: true },
};
const FLOAT_USERS = new Set(Object.keys(FLOAT_FORMS));

export function isMask32(node: Node): boolean {
  return maskOf(node) === MASK32;
}

/** Whether `node` is ANDed with a constant of at most `most`. */
function isMasked(node: Node, most: bigint): boolean {
  const mask = maskOf(node);
  return mask !== undefined && mask <= most;
}

/** The constant, unsigned, that `node` is ANDed with. */
function maskOf(node: Node): bigint | undefined {
  const mask = node.op === 'i64.and' ? node.args[1] : undefined;
  return mask?.op === 'const' ? (mask.imm as bigint) : undefined;
}

/** A shift count that means the same for 32 bits, or undefined. */
function constantCount(node: Node): number | undefined {
  if (node.op !== 'const') return undefined;
  const count = Number((node.imm as bigint) & 63n);
  return count < 32 ? count : undefined;
}

/** Emits the values of a body: where each is held, and how it is made. */
export abstract class ValueEmitter {
  readonly f: FunctionWriter;
  readonly #locals = new Map<Node, number>();
  #variables: number[] = [];

  constructor(f: FunctionWriter) {
    this.f = f;
  }

  /** Forgets the values of the last body. */
  protected beginValues(body: Body): void {
    this.#variables = body.locals.map((type) => this.allocate(VALUE_TYPE[type]));
    this.#locals.clear();
    this.#narrow.clear();
    this.#floats.clear();
    this.#floatLoads.clear();
    if (this.keepsFloats) this.#findFloatLoads(body.block);
  }

  /** Floating-point numbers stay in locals of their own type: worth its time for hot code. */
  protected readonly keepsFloats: boolean = false;

  /** A local for a value or an address; subclasses may reuse what earlier instructions no longer need. */
  protected allocate(type: ValueType): number {
    return this.f.local(type);
  }

  /** Pushes the address operand for `field`; the returned static offset goes with the access. */
  protected abstract fieldAddress(field: FieldRef): number;
  protected abstract slotOffset(field: FieldRef): void;
  protected abstract parameter(which: string): void;
  protected readField(field: FieldRef, access: Access): void {
    const offset = this.fieldAddress(field);
    this.f.memory(LOAD[access], offset);
  }

  /**
   * Values known by their low 32 bits: held in i32 locals, extended where 64 bits are asked for. Most guest
   * arithmetic is 32 bits wide; widening each result twice, for the register and for the flags, costs more
   * than the arithmetic.
   */
  readonly #narrow = new Map<Node, { readonly local: number; readonly signed: boolean }>();

  /**
   * Integers that are the bits of a floating-point number, which a local holds as such. An f32 stands for an
   * i32, or for an i64 that is zero above.
   */
  readonly #floats = new Map<Node, FloatLocal>();
  readonly #floatLoads = new Set<Node>();

  /** The number whose bits `node` is, when it is held as one. */
  protected floatOf(node: Node): FloatLocal | undefined {
    return this.#floats.get(node);
  }

  /** True when the state field of `node` may be read as f64 or f32. */
  protected readsAsFloat(_field: FieldRef): boolean {
    return false;
  }

  protected readFloat(node: Node): boolean {
    if (!this.keepsFloats || !this.readsAsFloat(node.field as FieldRef)) return false;
    const double = node.access === 'i64';
    if (!double && node.access !== 'i64.32u') return false;
    this.readField(node.field as FieldRef, double ? 'f64' : 'f32');
    this.setFloat(node, double ? F64 : F32);
    return true;
  }

  protected setFloat(node: Node, type: typeof F32 | typeof F64): void {
    const local = this.allocate(type);
    this.f.set(local);
    this.#floats.set(node, { local, type });
  }

  /** Defines a value of several uses that is the bits of a number; false for others. */
  protected defineFloat(node: Node): boolean {
    if (!this.keepsFloats) return false;
    switch (node.op) {
      case 'i64.reinterpret_f64':
      case 'i32.reinterpret_f32':
        this.value(node.args[0] as Node);
        this.setFloat(node, node.op === 'i64.reinterpret_f64' ? F64 : F32);
        return true;
      case 'i32.wrap_i64':
      case 'i64.extend_i32_u': {
        const float = this.#floats.get(node.args[0] as Node);
        if (float === undefined || float.type === F64) return false;
        this.#floats.set(node, float);
        return true;
      }
      default:
        return false;
    }
  }

  /** The number whose bits `node` is, looking through conversions between i32 and i64. */
  protected floatBelow(node: Node): FloatLocal | undefined {
    const float = this.#floats.get(node);
    if (float !== undefined) return float;
    if (node.op !== 'i32.wrap_i64' && node.op !== 'i64.extend_i32_u') return undefined;
    const below = this.floatBelow(node.args[0] as Node);
    return below?.type === F32 ? below : undefined;
  }

  /** True for a load whose value goes into a vector or becomes a number. */
  protected isFloatLoad(node: Node): boolean {
    return this.#floatLoads.has(node);
  }

  /** Notes the loads whose value goes into a vector or becomes a number. */
  #findFloatLoads(block: Block): void {
    for (const node of block) {
      if (FLOAT_USERS.has(node.op)) {
        for (let arg of node.args) {
          if (arg.op === 'i32.wrap_i64') arg = arg.args[0] as Node;
          if (arg.op === 'memory.load') this.#floatLoads.add(arg);
        }
      }
      for (const inner of node.blocks ?? []) this.#findFloatLoads(inner);
    }
  }

  protected defineNarrow(node: Node, signed: boolean): number {
    const local = this.allocate(I32);
    this.#narrow.set(node, { local, signed });
    return local;
  }

  /** True when the i64 `node` is the sign extension of its low 32 bits, by its form, and not held as 64. */
  protected isNarrowSigned(node: Node): boolean {
    const narrow = this.#narrow.get(node);
    if (narrow?.signed === true) return true;
    if (this.#locals.has(node) || this.#floats.has(node)) return false;
    const [left, right] = node.args as readonly [Node, Node];
    switch (node.op) {
      case 'const':
        return BigInt.asIntN(32, node.imm as bigint) === BigInt.asIntN(64, node.imm as bigint);
      case 'memory.load':
      case 'memory.loadForUpdate':
        return narrow !== undefined && decodeLoad(node.imm).width < 32;
      case 'i64.extend8_s':
      case 'i64.extend16_s':
      case 'i64.extend32_s':
      case 'i64.extend_i32_s':
        return true;
      case 'i64.and':
        if (isMasked(node, MASK31)) return true;
        return this.isNarrowSigned(left) && this.isNarrowSigned(right);
      case 'i64.or':
      case 'i64.xor':
        return this.isNarrowSigned(left) && this.isNarrowSigned(right);
      default:
        return false;
    }
  }

  /** Pushes the low 32 bits of an i64 value as i32. */
  protected low32(node: Node): void {
    const f = this.f;
    const local = this.#locals.get(node);
    if (local !== undefined) {
      f.get(local).wrap();
      return;
    }
    const narrow = this.#narrow.get(node);
    if (narrow !== undefined) {
      f.get(narrow.local);
      return;
    }
    const float = this.#floats.get(node);
    if (float !== undefined) {
      f.get(float.local);
      if (float.type === F32) f.op(I32_REINTERPRET_F32);
      else f.op(I64_REINTERPRET_F64).wrap();
      return;
    }
    const [left, right] = node.args as readonly [Node, Node];
    switch (node.op) {
      case 'const':
        f.i32Const(Number(BigInt.asIntN(32, node.imm as bigint)));
        return;
      case 'i64.extend32_s':
        this.low32(left);
        return;
      case 'i64.extend8_s':
      case 'i64.extend16_s':
        this.low32(left);
        f.op(node.op === 'i64.extend8_s' ? 0xc0 : 0xc1);
        return;
      case 'i64.extend_i32_s':
      case 'i64.extend_i32_u':
        this.value(left);
        return;
      case 'i64.and':
        if (isMask32(node)) {
          this.low32(left);
          return;
        }
        break;
      case 'select':
        this.low32(right);
        this.low32(node.args[2] as Node);
        this.value(left);
        f.select();
        return;
      case 'i64.shl': {
        const count = constantCount(right);
        if (count === undefined) break;
        this.low32(left);
        f.i32Const(count).op(0x74);
        return;
      }
      case 'i64.shr_u': {
        const count = constantCount(right);
        if (count === undefined || !this.#isZeroExtended(left)) break;
        this.low32(left);
        f.i32Const(count).op(0x76);
        return;
      }
      case 'i64.shr_s': {
        const count = constantCount(right);
        if (count === undefined || !this.isNarrowSigned(left)) break;
        this.low32(left);
        f.i32Const(count).op(0x75);
        return;
      }
      default:
    }
    const op = NARROW_OPS[node.op];
    if (op !== undefined) {
      this.low32(left);
      this.low32(right);
      f.op(op);
      return;
    }
    this.value(node);
    f.wrap();
  }

  #isZeroExtended(node: Node): boolean {
    const narrow = this.#narrow.get(node);
    if (narrow !== undefined) return !narrow.signed;
    return isMasked(node, MASK32) && !this.#locals.has(node);
  }

  /** Pushes the value of `node`. */
  protected value(node: Node): void {
    const local = this.#locals.get(node);
    if (local !== undefined) {
      this.f.get(local);
      return;
    }
    const narrow = this.#narrow.get(node);
    if (narrow !== undefined) {
      this.f.get(narrow.local).op(narrow.signed ? 0xac : 0xad);
      return;
    }
    const float = this.#floats.get(node);
    if (float !== undefined) {
      this.f.get(float.local);
      if (float.type === F64) this.f.op(I64_REINTERPRET_F64);
      else {
        this.f.op(I32_REINTERPRET_F32);
        if (node.type === 'i64') this.f.op(0xad);
      }
      return;
    }
    if (node.op === 'i64.extend32_s' || isMask32(node)) {
      this.low32(node.args[0] as Node);
      this.f.op(node.op === 'i64.extend32_s' ? 0xac : 0xad);
      return;
    }
    this.compute(node);
  }

  protected compute(node: Node): void {
    const f = this.f;
    switch (node.op) {
      case 'const':
        if (node.type === 'i32') f.i32Const(node.imm as number);
        else if (node.type === 'i64') f.i64Const(node.imm as bigint);
        else f.v128Const(node.imm as Uint8Array);
        return;
      case 'parameter':
        this.parameter(node.imm as string);
        return;
      case 'slot.offset':
        this.slotOffset(node.field as FieldRef);
        return;
      case 'select':
        this.value(node.args[1] as Node);
        this.value(node.args[2] as Node);
        this.value(node.args[0] as Node);
        if (node.type === 'v128') f.op(0x1c, 1, V128);
        else f.select();
        return;
      default: {
        if (this.keepsFloats && this.#computeFloat(node)) return;
        const row = opRow(node.op);
        for (const arg of node.args) this.value(arg);
        f.bytes(row.wasm);
        if (row.lane === 'lane') f.code.u8(node.imm as number);
        else if (row.lane === 'shuffle') f.bytes([...(node.imm as Uint8Array)]);
      }
    }
  }

  /** Computes `node` from a number that is held as one; false when it is no such op. */
  #computeFloat(node: Node): boolean {
    const last = node.args.at(-1);
    const opcode = FLOAT_FORMS[node.op];
    if (last === undefined || opcode === undefined) return false;
    const float = this.floatBelow(last);
    if (float === undefined || float.type !== opcode.type) return false;
    const f = this.f;
    if (node.args.length === 2) this.value(node.args[0] as Node);
    f.get(float.local).bytes(opcode.wasm);
    if (opcode.lane) f.code.u8(node.imm as number);
    return true;
  }

  protected define(node: Node): number {
    assert(node.type !== undefined, 'only nodes with a value are defined');
    const local = this.allocate(VALUE_TYPE[node.type]);
    this.#locals.set(node, local);
    return local;
  }

  protected variable(node: Node): number {
    return this.#variables[node.imm as number] as number;
  }

  protected addressLocal(node: Node): number {
    const existing = this.#locals.get(node);
    if (existing !== undefined) return existing;
    const local = this.allocate(I64);
    this.value(node);
    this.f.set(local);
    return local;
  }
}
