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
import {
  F32,
  F64,
  type FunctionWriter,
  I32,
  I64,
  V128,
  type ValueType,
  VOID,
} from '../../wasm/mod.ts';
import { EXIT } from '../record.ts';
import { TLB } from '../tlb-layout.ts';

export const VALUE_TYPE: Record<Type, ValueType> = {
  i32: I32,
  i64: I64,
  f32: F32,
  f64: F64,
  v128: V128,
};

const LOAD: Record<Access, readonly number[]> = {
  i64: [0x29],
  'i64.8s': [0x30],
  'i64.8u': [0x31],
  'i64.16s': [0x32],
  'i64.16u': [0x33],
  'i64.32s': [0x34],
  'i64.32u': [0x35],
  i32: [0x28],
  'i32.8s': [0x2c],
  'i32.8u': [0x2d],
  'i32.16s': [0x2e],
  'i32.16u': [0x2f],
  f32: [0x2a],
  f64: [0x2b],
  v128: [0xfd, 0x00],
};

const STORE: Record<Access, readonly number[]> = {
  i64: [0x37],
  'i64.8s': [0x3c],
  'i64.8u': [0x3c],
  'i64.16s': [0x3d],
  'i64.16u': [0x3d],
  'i64.32s': [0x3e],
  'i64.32u': [0x3e],
  i32: [0x36],
  'i32.8s': [0x3a],
  'i32.8u': [0x3a],
  'i32.16s': [0x3b],
  'i32.16u': [0x3b],
  f32: [0x38],
  f64: [0x39],
  v128: [0xfd, 0x0b],
};

/** i32 loads (unsigned, signed) and stores of up to 32 bits, by width. */
const NARROW_LOAD: readonly [Record<number, readonly number[]>, Record<number, readonly number[]>] =
  [
    { 8: [0x2d], 16: [0x2f], 32: [0x28] },
    { 8: [0x2c], 16: [0x2e], 32: [0x28] },
  ];
const NARROW_STORE: Record<number, readonly number[]> = { 8: [0x3a], 16: [0x3b], 32: [0x36] };

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

/** Dialect op: conditions that must hold, and a block for when they do not. See RegionSemantics.guard. */
export const GUARD = 'guard';

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

function isMask32(node: Node): boolean {
  const mask = node.op === 'i64.and' ? node.args[1] : undefined;
  return mask !== undefined && mask.op === 'const' && mask.imm === MASK32;
}

/** A shift count that means the same for 32 bits, or undefined. */
function constantCount(node: Node): number | undefined {
  if (node.op !== 'const') return undefined;
  const count = Number((node.imm as bigint) & 63n);
  return count < 32 ? count : undefined;
}

export function loadOpcode(access: Access): readonly number[] {
  return LOAD[access];
}
export function storeOpcode(access: Access): readonly number[] {
  return STORE[access];
}

const MEMORY_ACCESS: readonly [Record<number, Access>, Record<number, Access>] = [
  { 8: 'i64.8u', 16: 'i64.16u', 32: 'i64.32u' },
  { 8: 'i64.8s', 16: 'i64.16s', 32: 'i64.32s' },
];

/** The access that moves `width` bits of guest memory. */
export function memoryAccess(width: number, signed: boolean): Access {
  if (width === 128) return 'v128';
  if (width === 64) return 'i64';
  return MEMORY_ACCESS[signed ? 1 : 0][width] as Access;
}

/** Functions every emitted body may call. */
export interface RuntimeImports {
  /** (addressLow, addressHigh, bytes) → linear offset of the data or of a copy; 0 on a fault */
  readonly loadSlow: number;
  /** the same, and checks for a write: the offset is written back by `storeBackSlow` when it is the bounce buffer */
  readonly updateSlow: number;
  /** (addressLow, addressHigh, bytes): stores the bounce buffer; not 0 on a fault */
  readonly storeSlow: number;
  readonly helper: (name: string) => number;
}

/**
 * Emits a body of the intermediate form as WebAssembly. What depends on where operands, registers and
 * exits live is left to the subclasses: handlers (operands in records) and regions (operands known).
 */
export abstract class BodyEmitter {
  readonly f: FunctionWriter;
  protected readonly imports: RuntimeImports;
  readonly #locals = new Map<Node, number>();
  #variables: number[] = [];

  constructor(f: FunctionWriter, imports: RuntimeImports) {
    this.f = f;
    this.imports = imports;
  }

  /** Emits `body`; falls out at its end unless it left. */
  emitBody(body: Body): void {
    this.#variables = body.locals.map((type) => this.allocate(VALUE_TYPE[type]));
    this.#locals.clear();
    this.#narrow.clear();
    this.#floats.clear();
    this.#floatLoads.clear();
    if (this.keepsFloats) this.#findFloatLoads(body.block);
    this.#block(body.block, true);
  }

  /** Floating-point numbers stay in locals of their own type: worth its time for hot code. */
  protected readonly keepsFloats: boolean = false;

  /** A local for a value or an address; subclasses may reuse what earlier instructions no longer need. */
  protected allocate(type: ValueType): number {
    return this.f.local(type);
  }

  /** A TLB miss leaves the function by `leaveOnMiss`, instead of calling a slow path. */
  protected readonly leavesOnMiss: boolean = false;
  protected leaveOnMiss(): void {}

  /** Emits a node of a dialect as a statement; false when it is none of the subclass's. */
  protected dialectStatement(_node: Node): boolean {
    return false;
  }

  /** Called before an `if` or `loop` with the blocks it will run. */
  protected beforeNested(_blocks: readonly Block[]): void {}
  protected enterNested(): void {}
  protected leaveNested(): void {}

  // --- what subclasses decide

  /** Pushes the address operand for `field`; the returned static offset goes with the access. */
  protected abstract fieldAddress(field: FieldRef): number;
  protected abstract slotOffset(field: FieldRef): void;
  protected abstract parameter(which: string): void;
  /** Pushes the base of the TLB in use. */
  protected abstract tlbBase(): void;
  /** Pushes the linear offset of the bounce buffer. */
  protected abstract bounceAddress(): void;
  /** Leaves with the fault that a slow path recorded. */
  protected abstract leaveFaulted(): void;
  protected abstract raise(vector: number, errorCode: number): void;
  /**
   * Calls an effect helper; its arguments are pushed by `args`. One that is not the last of its instruction faults or
   * comes back: what wants to stop there sees to it that the engine stops soon after.
   */
  protected abstract effectHelper(name: string, isLast: boolean, args: () => void): void;

  /** Tests the status that a helper has left on the stack: does it leave? */
  protected leavesWith(status: number, isLast: boolean): void {
    this.f.tee(status);
    if (!isLast) this.f.i32Const(EXIT.fault).op(0x46); // i32.eq
  }
  /** Goes over to the TLB that the CPL and EFLAGS.AC in the state ask for. */
  protected abstract privilegeChanged(): void;
  protected abstract branchRelative(): void;
  /** Continues at the i64 RIP that `rip` pushes. */
  protected abstract branch(rip: () => void): void;

  protected readField(field: FieldRef, access: Access): void {
    const offset = this.fieldAddress(field);
    this.f.memory(LOAD[access], offset);
  }

  protected writeField(field: FieldRef, access: Access, value: Node): void {
    const offset = this.fieldAddress(field);
    this.value(value);
    this.f.memory(STORE[access], offset);
  }

  // --- nodes

  /** @param isLast nothing of the instruction comes behind the block */
  #block(block: Block, isLast: boolean): void {
    for (const [index, node] of block.entries()) {
      this.#statement(node, isLast && index === block.length - 1);
    }
  }

  #statement(node: Node, isLast: boolean): void {
    const f = this.f;
    switch (node.op) {
      case 'const':
      case 'parameter':
      case 'slot.offset':
        return; // rematerialised at each use
      case 'state.write':
        this.writeField(node.field as FieldRef, node.access as Access, node.args[0] as Node);
        return;
      case 'state.read':
        if (node.uses === 0 || this.#readFloat(node)) return;
        if (node.access === 'i64.32s' || node.access === 'i64.32u') {
          this.readField(node.field as FieldRef, 'i32');
          f.set(this.#defineNarrow(node, node.access === 'i64.32s'));
          return;
        }
        this.readField(node.field as FieldRef, node.access as Access);
        f.set(this.#define(node));
        return;
      case 'state.readAt': {
        if (node.uses === 0) return;
        const base = this.fieldAddress({ kind: 'fixed', offset: 0 });
        this.value(node.args[0] as Node);
        f.i32Add().memory(LOAD[node.access as Access], base);
        f.set(this.#define(node));
        return;
      }
      case 'state.writeAt': {
        const base = this.fieldAddress({ kind: 'fixed', offset: 0 });
        this.value(node.args[0] as Node);
        f.i32Add();
        this.value(node.args[1] as Node);
        f.memory(STORE[node.access as Access], base);
        return;
      }
      case 'local.get':
        if (node.uses === 0) return;
        f.get(this.#variable(node));
        f.set(this.#define(node));
        return;
      case 'local.set':
        this.value(node.args[0] as Node);
        f.set(this.#variable(node));
        return;
      case 'memory.load':
        this.#load(node, false);
        return;
      case 'memory.loadForUpdate':
        this.#load(node, true);
        return;
      case 'memory.store':
        this.#store(node);
        return;
      case 'memory.storeBack':
        this.#storeBack(node);
        return;
      case 'if': {
        this.beforeNested(node.blocks ?? []);
        this.value(node.args[0] as Node);
        f.if(VOID, this.expects(node));
        this.enterNested();
        this.#block(node.blocks?.[0] ?? [], isLast);
        const otherwise = node.blocks?.[1] ?? [];
        if (otherwise.length > 0) {
          f.else();
          this.#block(otherwise, isLast);
        }
        this.leaveNested();
        f.end();
        return;
      }
      case 'loop':
        this.beforeNested(node.blocks ?? []);
        f.loop();
        this.enterNested();
        this.#block(node.blocks?.[0] ?? [], false);
        this.value(node.args[0] as Node);
        f.brIf(0);
        this.leaveNested();
        f.end();
        return;
      case 'helper':
        this.effectHelper(node.imm as string, isLast, () => {
          for (const arg of node.args) this.value(arg);
        });
        return;
      case 'call':
        for (const arg of node.args) this.value(arg);
        f.call(this.imports.helper(node.imm as string));
        f.set(this.#define(node));
        return;
      case 'fault': {
        const packed = node.imm as number;
        this.raise(packed >>> 16, packed & 0xffff);
        return;
      }
      case 'privilege':
        this.privilegeChanged();
        return;
      case 'branch.relative':
        this.branchRelative();
        return;
      case 'branch':
        this.branch(() => this.value(node.args[0] as Node));
        return;
      case GUARD:
        this.#guard(node, isLast);
        return;
      case 'linear.place':
        this.#place(node);
        return;
      case 'linear.copy':
      case 'linear.fill':
        for (const arg of node.args) this.value(arg);
        // memory.copy names two memories, memory.fill one.
        if (node.op === 'linear.copy') f.op(0xfc, 10, 0, 0);
        else f.op(0xfc, 11, 0);
        return;
      default:
        if (this.dialectStatement(node)) return;
        // A pure value: one use is emitted where it is used, several through a local.
        if (node.uses <= 1 || this.#defineFloat(node)) return;
        if (node.op === 'i64.extend32_s' || isMask32(node)) {
          this.low32(node);
          f.set(this.#defineNarrow(node, node.op === 'i64.extend32_s'));
          return;
        }
        this.#compute(node);
        f.set(this.#define(node));
    }
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

  #readFloat(node: Node): boolean {
    if (!this.keepsFloats || !this.readsAsFloat(node.field as FieldRef)) return false;
    const double = node.access === 'i64';
    if (!double && node.access !== 'i64.32u') return false;
    this.readField(node.field as FieldRef, double ? 'f64' : 'f32');
    this.#setFloat(node, double ? F64 : F32);
    return true;
  }

  #setFloat(node: Node, type: typeof F32 | typeof F64): void {
    const local = this.allocate(type);
    this.f.set(local);
    this.#floats.set(node, { local, type });
  }

  /** Defines a value of several uses that is the bits of a number; false for others. */
  #defineFloat(node: Node): boolean {
    if (!this.keepsFloats) return false;
    switch (node.op) {
      case 'i64.reinterpret_f64':
      case 'i32.reinterpret_f32':
        this.value(node.args[0] as Node);
        this.#setFloat(node, node.op === 'i64.reinterpret_f64' ? F64 : F32);
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
  #floatBelow(node: Node): FloatLocal | undefined {
    const float = this.#floats.get(node);
    if (float !== undefined) return float;
    if (node.op !== 'i32.wrap_i64' && node.op !== 'i64.extend_i32_u') return undefined;
    const below = this.#floatBelow(node.args[0] as Node);
    return below?.type === F32 ? below : undefined;
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

  /** Goes on when all conditions hold, tested one after the other; runs the block otherwise. */
  #guard(node: Node, isLast: boolean): void {
    const f = this.f;
    f.block();
    this.enterNested();
    f.block();
    for (const condition of node.args) {
      this.value(condition);
      f.i32Eqz().brIf(0, false);
    }
    f.br(1);
    f.end();
    this.guarding = true;
    this.#block(node.blocks?.[0] ?? [], isLast);
    this.guarding = false;
    this.leaveNested();
    f.end();
  }

  /** In the block of a guard: whatever cannot be done here leaves, and so do helpers. */
  protected guarding = false;

  #defineNarrow(node: Node, signed: boolean): number {
    const local = this.allocate(I32);
    this.#narrow.set(node, { local, signed });
    return local;
  }

  /** True when the i64 `node` is the sign extension of its low 32 bits, by its form. */
  protected isNarrowSigned(node: Node): boolean {
    const narrow = this.#narrow.get(node);
    if (narrow !== undefined) return narrow.signed;
    if (node.op === 'const')
      return BigInt.asIntN(32, node.imm as bigint) === BigInt.asIntN(64, node.imm as bigint);
    return node.op === 'i64.extend32_s' && !this.#locals.has(node);
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
    return isMask32(node) && !this.#locals.has(node);
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
    this.#compute(node);
  }

  #compute(node: Node): void {
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
    const float = this.#floatBelow(last);
    if (float === undefined || float.type !== opcode.type) return false;
    const f = this.f;
    if (node.args.length === 2) this.value(node.args[0] as Node);
    f.get(float.local).bytes(opcode.wasm);
    if (opcode.lane) f.code.u8(node.imm as number);
    return true;
  }

  /** Whether the first block of an `if` is likely to run, when it can be told. */
  protected expects(node: Node): boolean | undefined {
    return node.blocks?.[0]?.some(({ op }) => op === 'fault') === true ? false : undefined;
  }

  protected define(node: Node): number {
    return this.#define(node);
  }

  #define(node: Node): number {
    assert(node.type !== undefined, 'only nodes with a value are defined');
    const local = this.allocate(VALUE_TYPE[node.type]);
    this.#locals.set(node, local);
    return local;
  }

  #variable(node: Node): number {
    return this.#variables[node.imm as number] as number;
  }

  // --- guest memory

  /** Linear-memory offsets of loaded-for-update places, by their load. */
  readonly #places = new Map<Node, { readonly place: number; readonly address: number }>();

  /**
   * Pushes 1 when the access hits. Leaves the entry's offset in the returned local.
   *   entry = tlb + (page number mod entries) × 32;  hit = (address ^ tag) <= 4096 - bytes
   */
  #hit(address: number, bytes: number, tag: number): number {
    const f = this.f;
    const entry = this.allocate(I32);
    f.get(address).wrap().i32Const(7).op(0x76); // >>> (12 - log2 32)
    f.i32Const((TLB.entries - 1) * TLB.entryBytes).i32And();
    this.tlbBase();
    f.i32Add().tee(entry);
    f.i64Load(tag).get(address).op(0x85);
    f.i64Const(BigInt(4096 - bytes)).op(0x58);
    return entry;
  }

  /** The host's offset of a guest byte, or 0 on a miss. */
  #place(node: Node): void {
    const f = this.f;
    const address = this.#addressLocal(node.args[0] as Node);
    const entry = this.#hit(address, 1, node.imm === 'write' ? TLB.write : TLB.read);
    f.if(I32, true);
    f.get(address).wrap().get(entry).i32Load(TLB.addend).i32Add();
    f.else();
    f.i32Const(0);
    f.end();
    f.set(this.#define(node));
  }

  #addressLocal(node: Node): number {
    const existing = this.#locals.get(node);
    if (existing !== undefined) return existing;
    const local = this.allocate(I64);
    this.value(node);
    this.f.set(local);
    return local;
  }

  #pushAddressHalves(address: number): void {
    this.f.get(address).wrap().get(address).i64Const(32n).op(0x88).wrap();
  }

  #load(node: Node, update: boolean): void {
    const f = this.f;
    const { width, signed } = decodeLoad(node.imm);
    const bytes = width / 8;
    const address = this.#addressLocal(node.args[0] as Node);
    const place = this.allocate(I32);
    const entry = this.#hit(address, bytes, update ? TLB.write : TLB.read);
    f.if(VOID, true);
    f.get(address).wrap().get(entry).i32Load(TLB.addend).i32Add().set(place);
    f.else();
    if (this.leavesOnMiss) {
      this.enterNested();
      this.leaveOnMiss();
      this.leaveNested();
    } else {
      this.#pushAddressHalves(address);
      f.i32Const(bytes).call(update ? this.imports.updateSlow : this.imports.loadSlow);
      f.tee(place).i32Eqz().if(VOID, false);
      this.leaveFaulted();
      f.end();
    }
    f.end();
    if (update) this.#places.set(node, { place, address });
    f.get(place);
    if (this.#floatLoads.has(node) && (width === 64 || (width === 32 && !signed))) {
      f.memory(LOAD[width === 64 ? 'f64' : 'f32'], 0);
      this.#setFloat(node, width === 64 ? F64 : F32);
      return;
    }
    if (width <= 32) {
      f.memory(NARROW_LOAD[signed ? 1 : 0][width] as readonly number[], 0);
      f.set(this.#defineNarrow(node, signed));
    } else {
      f.memory(LOAD[memoryAccess(width, signed)], 0);
      f.set(this.#define(node));
    }
  }

  #store(node: Node): void {
    const f = this.f;
    const { width } = decodeLoad(node.imm);
    const bytes = width / 8;
    const access = memoryAccess(width, false);
    const address = this.#addressLocal(node.args[0] as Node);
    const narrow = width <= 32;
    const float = this.#floatBelow(node.args[1] as Node);
    let value: number;
    let store = narrow ? (NARROW_STORE[width] as readonly number[]) : STORE[access];
    if (float !== undefined && width === (float.type === F64 ? 64 : 32)) {
      value = float.local;
      store = STORE[float.type === F64 ? 'f64' : 'f32'];
    } else {
      value = this.allocate(width === 128 ? V128 : narrow ? I32 : I64);
      if (narrow) this.low32(node.args[1] as Node);
      else this.value(node.args[1] as Node);
      f.set(value);
    }
    const entry = this.#hit(address, bytes, TLB.write);
    f.if(VOID, true);
    f.get(address).wrap().get(entry).i32Load(TLB.addend).i32Add();
    f.get(value).memory(store, 0);
    f.else();
    if (this.leavesOnMiss) {
      this.enterNested();
      this.leaveOnMiss();
      this.leaveNested();
    } else {
      this.bounceAddress();
      f.get(value).memory(store, 0);
      this.#pushAddressHalves(address);
      f.i32Const(bytes).call(this.imports.storeSlow).if(VOID, false);
      this.leaveFaulted();
      f.end();
    }
    f.end();
  }

  #storeBack(node: Node): void {
    const f = this.f;
    const loaded = node.args[0] as Node;
    const { width } = decodeLoad(node.imm);
    const found = this.#places.get(loaded);
    assert(found !== undefined, 'storeBack follows its load');
    const { place, address } = found;
    f.get(place);
    if (width <= 32) {
      this.low32(node.args[1] as Node);
      f.memory(NARROW_STORE[width] as readonly number[], 0);
    } else {
      this.value(node.args[1] as Node);
      f.memory(STORE[memoryAccess(width, false)], 0);
    }
    if (this.leavesOnMiss) return; // an update that hit is at its place
    f.get(place);
    this.bounceAddress();
    f.op(0x46).if(VOID, false);
    this.#pushAddressHalves(address);
    f.i32Const(width / 8)
      .call(this.imports.storeSlow)
      .if(VOID, false);
    this.leaveFaulted();
    f.end();
    f.end();
  }
}
