import { assert } from '../util/mod.ts';
import { opRow } from './ops.ts';
import type {
  Access,
  Block,
  Body,
  FieldRef,
  Immediate,
  MemoryWidth,
  Node,
  Parameter,
  Slot,
  Type,
  Value,
} from './types.ts';

/** What a guest load reads: width in bits, and whether it is sign-extended to i64. */
export interface LoadKind {
  readonly width: MemoryWidth;
  readonly signed: boolean;
}

/** A mutable variable inside one instruction. */
export interface Local {
  readonly index: number;
  readonly type: Type;
}

interface NodeParts {
  type?: Type | undefined;
  args?: readonly Node[];
  imm?: Immediate;
  field?: FieldRef;
  access?: Access;
  blocks?: readonly Block[];
}

/** The type a state field has once it is loaded with `access`. */
export function accessType(access: Access): Type {
  return ACCESS_TYPE[access];
}

const ACCESS_TYPE: Record<Access, Type> = {
  i64: 'i64',
  'i64.8s': 'i64',
  'i64.8u': 'i64',
  'i64.16s': 'i64',
  'i64.16u': 'i64',
  'i64.32s': 'i64',
  'i64.32u': 'i64',
  i32: 'i32',
  'i32.8s': 'i32',
  'i32.8u': 'i32',
  'i32.16s': 'i32',
  'i32.16u': 'i32',
  f32: 'f32',
  f64: 'f64',
  v128: 'v128',
};

/**
 * Builds the body of one instruction. Methods append nodes in program order and return values.
 * Pure ops on constants fold at once, by the same `evaluate` the reference uses.
 */
export class Builder {
  #block: Block = [];
  readonly #locals: Type[] = [];

  /** The finished body. */
  finish(): Body {
    return { block: this.#block, locals: this.#locals };
  }

  // --- constants, parameters, pure ops

  i32(value: number): Value {
    return this.#node('const', { type: 'i32', imm: value | 0 }) as Value;
  }

  i64(value: bigint | number): Value {
    return this.#node('const', {
      type: 'i64',
      imm:
        typeof value === 'number' && value >= 0 ? BigInt(value) : BigInt.asUintN(64, BigInt(value)),
    }) as Value;
  }

  v128(bytes: Uint8Array): Value {
    assert(bytes.length === 16, 'a v128 constant has sixteen bytes');
    return this.#node('const', { type: 'v128', imm: bytes }) as Value;
  }

  /** A value parameter of the decoded instruction. */
  parameter(which: Parameter): Value {
    return this.#node('parameter', {
      type: which === 'scale' ? 'i32' : 'i64',
      imm: which,
    }) as Value;
  }

  /** The state offset that the record's `slot` holds, plus `displacement`, i32. */
  slotOffset(slot: Slot, displacement: number): Value {
    const field: FieldRef = { kind: 'slot', slot, displacement };
    return this.#node('slot.offset', { type: 'i32', field }) as Value;
  }

  /** Any pure op by its table name, e.g. `pure('i64.add', x, y)`. */
  pure(op: string, ...args: Value[]): Value {
    return this.pureWith(op, undefined, ...args);
  }

  /** A pure op that carries an immediate (lane index, shuffle bytes). */
  pureWith(op: string, imm: Immediate, ...args: Value[]): Value {
    const row = opRow(op);
    if (args.length !== row.args.length)
      throw new Error(`${op} takes ${row.args.length} arguments`);
    let constant = args.length > 0 && row.type !== 'v128';
    for (let i = 0; i < args.length; i++) {
      const arg = args[i] as Value;
      if (arg.type !== row.args[i]) {
        throw new Error(`${op}: argument ${i} is ${arg.type}, not ${row.args[i]}`);
      }
      if (arg.op !== 'const' || arg.type === 'v128') constant = false;
    }
    if (constant) {
      const folded = row.evaluate(...args.map((arg) => arg.imm), imm);
      if (row.type === 'i64') return this.i64(folded as bigint);
      if (row.type === 'i32') return this.i32(folded as number);
    }
    return this.#node(op, { type: row.type, args, imm }) as Value;
  }

  #same(op: string, x: Value, y: Value): Value {
    return this.pureWith(nameOf(op, x.type), undefined, x, y);
  }

  add(x: Value, y: Value): Value {
    return this.#same('add', x, y);
  }
  sub(x: Value, y: Value): Value {
    return this.#same('sub', x, y);
  }
  mul(x: Value, y: Value): Value {
    return this.#same('mul', x, y);
  }
  and(x: Value, y: Value): Value {
    return this.#same('and', x, y);
  }
  or(x: Value, y: Value): Value {
    return this.#same('or', x, y);
  }
  xor(x: Value, y: Value): Value {
    return this.#same('xor', x, y);
  }
  /** Shift counts are taken modulo the type's width. */
  shl(x: Value, count: Value): Value {
    return this.#same('shl', x, count);
  }
  shrU(x: Value, count: Value): Value {
    return this.#same('shr_u', x, count);
  }
  shrS(x: Value, count: Value): Value {
    return this.#same('shr_s', x, count);
  }
  eq(x: Value, y: Value): Value {
    return this.#same('eq', x, y);
  }
  ne(x: Value, y: Value): Value {
    return this.#same('ne', x, y);
  }
  ltU(x: Value, y: Value): Value {
    return this.#same('lt_u', x, y);
  }
  ltS(x: Value, y: Value): Value {
    return this.#same('lt_s', x, y);
  }
  gtU(x: Value, y: Value): Value {
    return this.#same('gt_u', x, y);
  }
  leU(x: Value, y: Value): Value {
    return this.#same('le_u', x, y);
  }
  eqz(x: Value): Value {
    return this.pureWith(nameOf('eqz', x.type), undefined, x);
  }
  /** Truth value of an i64: 1 when it is not zero. */
  nez(x: Value): Value {
    return x.type === 'i64' ? this.ne(x, this.i64(0)) : this.ne(x, this.i32(0));
  }
  not(x: Value): Value {
    return this.xor(x, x.type === 'i64' ? this.i64(-1n) : this.i32(-1));
  }
  neg(x: Value): Value {
    return this.sub(x.type === 'i64' ? this.i64(0) : this.i32(0), x);
  }
  /** Sign-extends the low `width` bits (8, 16, 32 or 64) of an i64. */
  signExtend(x: Value, width: number): Value {
    return width === 64 ? x : this.pureWith(SIGN_EXTEND[width] as string, undefined, x);
  }
  /** Zero-extends the low `width` bits (1 to 64) of an i64. */
  zeroExtend(x: Value, width: number): Value {
    if (width === 64) return x;
    return this.and(x, this.i64((1n << BigInt(width)) - 1n));
  }
  /** i32 to i64, zero-extended. */
  widen(x: Value): Value {
    return this.pure('i64.extend_i32_u', x);
  }
  /** i64 to i32, low half. */
  wrap(x: Value): Value {
    return this.pure('i32.wrap_i64', x);
  }

  /** `whenTrue` if the i32 `condition` is not zero, else `whenFalse`. Both are evaluated. */
  select(condition: Value, whenTrue: Value, whenFalse: Value): Value {
    assert(condition.type === 'i32' && whenTrue.type === whenFalse.type, 'select: types differ');
    if (condition.op === 'const') return condition.imm !== 0 ? whenTrue : whenFalse;
    return this.#node('select', {
      type: whenTrue.type,
      args: [condition, whenTrue, whenFalse],
    }) as Value;
  }

  // --- vCPU state

  readState(field: FieldRef, access: Access): Value {
    return this.#node('state.read', { type: accessType(access), field, access }) as Value;
  }

  writeState(field: FieldRef, access: Access, value: Value): void {
    if (value.type !== accessType(access)) {
      throw new Error(`state.write: ${value.type} into ${access}`);
    }
    this.#node('state.write', { args: [value], field, access });
  }

  /** The field at the i32 `offset` into the state block. */
  readStateAt(offset: Value, access: Access): Value {
    return this.#node('state.readAt', {
      type: accessType(access),
      args: [offset],
      access,
    }) as Value;
  }

  writeStateAt(offset: Value, access: Access, value: Value): void {
    assert(offset.type === 'i32' && value.type === accessType(access), 'state.writeAt: types');
    this.#node('state.writeAt', { args: [offset, value], access });
  }

  // --- guest memory, by linear address; may fault

  /** Loads `width` bits; up to 64 they come widened to i64, 128 as v128. */
  load(address: Value, width: MemoryWidth, signed = false): Value {
    return this.#node('memory.load', {
      type: width === 128 ? 'v128' : 'i64',
      args: [address],
      imm: encodeLoad({ width, signed }),
    }) as Value;
  }

  /** Stores the low `width` bits of `value`. */
  store(address: Value, width: MemoryWidth, value: Value): void {
    assert(value.type === (width === 128 ? 'v128' : 'i64'), 'memory.store: value type');
    this.#node('memory.store', {
      args: [address, value],
      imm: encodeLoad({ width, signed: false }),
    });
  }

  /** Loads like `load`, but faults as a write would; `storeBack` then cannot fault. */
  loadForUpdate(address: Value, width: MemoryWidth, signed = false): Value {
    assert(width !== 128, 'read-modify-write is at most 64 bits wide');
    return this.#node('memory.loadForUpdate', {
      type: 'i64',
      args: [address],
      imm: encodeLoad({ width, signed }),
    }) as Value;
  }

  /** Completes a `loadForUpdate`: writes to the same place. */
  storeBack(loaded: Value, value: Value): void {
    assert(loaded.op === 'memory.loadForUpdate', 'storeBack needs the loadForUpdate it completes');
    this.#node('memory.storeBack', { args: [loaded, value], imm: loaded.imm });
  }

  // --- local variables and structured control

  local(type: Type): Local {
    this.#locals.push(type);
    return { index: this.#locals.length - 1, type };
  }
  get(local: Local): Value {
    return this.#node('local.get', { type: local.type, imm: local.index }) as Value;
  }
  set(local: Local, value: Value): void {
    assert(local.type === value.type, 'local.set: type');
    this.#node('local.set', { args: [value], imm: local.index });
  }

  /** Runs `then` when the i32 `condition` is not zero, else `otherwise`. */
  if(condition: Value, then: () => void, otherwise?: () => void): void {
    if (condition.op === 'const') {
      if (condition.imm !== 0) then();
      else otherwise?.();
      return;
    }
    const thenBlock = this.#nested(then);
    const elseBlock = otherwise === undefined ? [] : this.#nested(otherwise);
    this.#node('if', { args: [condition], blocks: [thenBlock, elseBlock] });
  }

  /** Runs `body` again while the i32 value it returns is not zero. */
  loop(body: () => Value): void {
    let again: Value | undefined;
    const block = this.#nested(() => {
      again = body();
    });
    assert(again !== undefined, 'a loop body returns its condition');
    // The condition is used at the end of the body: `loop` holds it as an argument.
    this.#node('loop', { args: [again], blocks: [block] });
  }

  // --- leaving the instruction

  /**
   * Calls a named helper for its effect on the vCPU. It may fault or redirect; the emitter tests its
   * status. Nothing of the instruction may be committed to state before it unless the helper is the
   * instruction's last effect.
   */
  helper(name: string, ...args: Value[]): void {
    this.#node('helper', { args, imm: name });
  }

  /** Calls a named helper that only computes: no fault, no state but what its contract names. */
  call(name: string, type: Type, ...args: Value[]): Value {
    return this.#node('call', { type, args, imm: name }) as Value;
  }

  /** Raises exception `vector`; `errorCode` is pushed when the exception has one. */
  fault(vector: number, errorCode = 0): void {
    this.#node('fault', { imm: vector * 0x1_0000 + errorCode });
  }

  /** Continues at the instruction's relative target (its displacement is the record's). */
  branchRelative(): void {
    this.#node('branch.relative', {});
  }

  /** Continues at the instruction pointer `rip` (i64). */
  branch(rip: Value): void {
    this.#node('branch', { args: [rip] });
  }

  /** CPL or EFLAGS.AC was written: memory is seen with other rights from here on. */
  privilegeChanged(): void {
    this.#node('privilege', {});
  }

  /** Appends a node of a dialect that a subclass and its emitter agree on. */
  protected dialect(op: string, type: Type | undefined, imm: Immediate, ...args: Value[]): Value {
    return this.#node(op, { type, imm, args }) as Value;
  }

  /** The same with a block, built by `build`. */
  protected dialectBlock(op: string, args: readonly Value[], build: () => void): void {
    const block = this.#nested(build);
    this.#node(op, { args, blocks: [block] });
  }

  #nested(build: () => void): Block {
    const outer = this.#block;
    const inner: Block = [];
    this.#block = inner;
    build();
    this.#block = outer;
    return inner;
  }

  #node(op: string, parts: NodeParts): Node {
    const args = parts.args ?? NOTHING;
    const node: Node = {
      op,
      type: parts.type,
      args,
      imm: parts.imm,
      field: parts.field,
      access: parts.access,
      blocks: parts.blocks,
      uses: 0,
    };
    for (let i = 0; i < args.length; i++) (args[i] as Node).uses++;
    this.#block.push(node);
    return node;
  }
}

const SIGN_EXTEND: Record<number, string> = {
  8: 'i64.extend8_s',
  16: 'i64.extend16_s',
  32: 'i64.extend32_s',
};

const NOTHING: readonly Node[] = [];

/** Op names by operation and type: `SAME.add.i64` is `i64.add`. */
const TYPES: readonly Type[] = ['i32', 'i64', 'f32', 'f64', 'v128'];
const SAME = new Map<string, Record<string, string>>();

function nameOf(op: string, type: Type): string {
  let names = SAME.get(op);
  if (names === undefined) {
    names = Object.fromEntries(TYPES.map((each) => [each, `${each}.${op}`]));
    SAME.set(op, names);
  }
  return names[type] as string;
}

/** Packs a load kind into a node immediate. */
export function encodeLoad(kind: LoadKind): number {
  return kind.width * 2 + (kind.signed ? 1 : 0);
}

export function decodeLoad(imm: Immediate): LoadKind {
  const packed = imm as number;
  return { width: (packed >> 1) as MemoryWidth, signed: (packed & 1) !== 0 };
}
