import {
  type Access,
  type Block,
  type Body,
  decodeLoad,
  type FieldRef,
  type Node,
} from '../../ir/mod.ts';
import { assert } from '../../util/mod.ts';
import { F32, F64, type FunctionWriter, I32, I64, V128, VOID } from '../../wasm/mod.ts';
import { EXIT } from '../record.ts';
import { TLB } from '../tlb-layout.ts';
import { LOAD, memoryAccess, NARROW_LOAD, NARROW_STORE, STORE } from './accesses.ts';
import { pushPlace, toDataEntry } from './data-tlb.ts';
import { isMask32, ValueEmitter } from './value-emitter.ts';

/** Dialect op: conditions that must hold, and a block for when they do not. See RegionSemantics.guard. */
export const GUARD = 'guard';

/** Locals with the tag and the addend of a page that may be written, as its entry in the TLB has them. */
export interface KnownPage {
  readonly tag: number;
  readonly addend: number;
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
export abstract class BodyEmitter extends ValueEmitter {
  protected readonly imports: RuntimeImports;

  constructor(f: FunctionWriter, imports: RuntimeImports) {
    super(f);
    this.imports = imports;
  }

  /** Emits `body`; falls out at its end unless it left. */
  emitBody(body: Body): void {
    this.beginValues(body);
    this.#block(body.block, true);
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
        if (node.uses === 0 || this.readFloat(node)) return;
        if (node.access === 'i64.32s' || node.access === 'i64.32u') {
          this.readField(node.field as FieldRef, 'i32');
          f.set(this.defineNarrow(node, node.access === 'i64.32s'));
          return;
        }
        this.readField(node.field as FieldRef, node.access as Access);
        f.set(this.define(node));
        return;
      case 'state.readAt': {
        if (node.uses === 0) return;
        const base = this.fieldAddress({ kind: 'fixed', offset: 0 });
        this.value(node.args[0] as Node);
        f.i32Add().memory(LOAD[node.access as Access], base);
        f.set(this.define(node));
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
        f.get(this.variable(node));
        f.set(this.define(node));
        return;
      case 'local.set':
        this.value(node.args[0] as Node);
        f.set(this.variable(node));
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
        f.callNamed(this.imports.helper(node.imm as string), node.imm as string);
        f.set(this.define(node));
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
        if (node.uses <= 1 || this.defineFloat(node)) return;
        if (isMask32(node) || this.isNarrowSigned(node)) {
          this.low32(node);
          f.set(this.defineNarrow(node, !isMask32(node)));
          return;
        }
        this.compute(node);
        f.set(this.define(node));
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

  /** Whether the first block of an `if` is likely to run, when it can be told. */
  protected expects(node: Node): boolean | undefined {
    return node.blocks?.[0]?.some(({ op }) => op === 'fault') === true ? false : undefined;
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
    f.get(address);
    toDataEntry(f, () => this.tlbBase());
    f.tee(entry).i64Load(tag).get(address).op(0x85);
    f.i64Const(BigInt(4096 - bytes)).op(0x58);
    return entry;
  }

  /** The host's offset of a guest byte, or 0 on a miss. */
  #place(node: Node): void {
    const f = this.f;
    const address = this.addressLocal(node.args[0] as Node);
    const entry = this.#hit(address, 1, node.imm === 'write' ? TLB.write : TLB.read);
    f.if(I32, true);
    pushPlace(f, address, entry);
    f.else();
    f.i32Const(0);
    f.end();
    f.set(this.define(node));
  }

  #pushAddressHalves(address: number): void {
    this.f.get(address).wrap().get(address).i64Const(32n).op(0x88).wrap();
  }

  #load(node: Node, update: boolean): void {
    const f = this.f;
    const { width, signed } = decodeLoad(node.imm);
    const bytes = width / 8;
    const address = this.addressLocal(node.args[0] as Node);
    const tag = update ? TLB.write : TLB.read;
    const place = this.allocate(I32);
    if (this.leavesOnMiss) this.#find(node, address, bytes, tag, place);
    else {
      const entry = this.#hit(address, bytes, tag);
      f.if(VOID, true);
      pushPlace(f, address, entry);
      f.set(place);
      f.else();
      this.#pushAddressHalves(address);
      f.i32Const(bytes).call(update ? this.imports.updateSlow : this.imports.loadSlow);
      f.tee(place).i32Eqz().if(VOID, false);
      this.leaveFaulted();
      f.end();
      f.end();
    }
    if (update) this.#places.set(node, { place, address });
    f.get(place);
    if (this.isFloatLoad(node) && (width === 64 || (width === 32 && !signed))) {
      f.memory(LOAD[width === 64 ? 'f64' : 'f32'], 0);
      this.setFloat(node, width === 64 ? F64 : F32);
      return;
    }
    if (width <= 32) {
      f.memory(NARROW_LOAD[signed ? 1 : 0][width] as readonly number[], 0);
      f.set(this.defineNarrow(node, signed));
    } else {
      f.memory(LOAD[memoryAccess(width, signed)], 0);
      f.set(this.define(node));
    }
  }

  #store(node: Node): void {
    const f = this.f;
    const { width } = decodeLoad(node.imm);
    const bytes = width / 8;
    const access = memoryAccess(width, false);
    const address = this.addressLocal(node.args[0] as Node);
    const narrow = width <= 32;
    const float = this.floatBelow(node.args[1] as Node);
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
    if (this.leavesOnMiss) {
      const place = this.allocate(I32);
      this.#find(node, address, bytes, TLB.write, place);
      f.get(place).get(value).memory(store, 0);
      return;
    }
    const entry = this.#hit(address, bytes, TLB.write);
    f.if(VOID, true);
    pushPlace(f, address, entry);
    f.get(value).memory(store, 0);
    f.else();
    this.bounceAddress();
    f.get(value).memory(store, 0);
    this.#pushAddressHalves(address);
    f.i32Const(bytes).call(this.imports.storeSlow).if(VOID, false);
    this.leaveFaulted();
    f.end();
    f.end();
  }

  /** Finds the place of an access of `bytes` for `node`, or leaves. */
  #find(node: Node, address: number, bytes: number, tag: number, place: number): void {
    const f = this.f;
    const page = this.knownPage(node.args[0] as Node);
    if (page !== undefined) {
      f.get(address)
        .get(page.tag)
        .op(0x85)
        .i64Const(BigInt(4096 - bytes))
        .op(0x58); // xor, le_u
      f.if(VOID, true);
      f.get(address).wrap().get(page.addend).i32Add().set(place);
      f.else();
      this.enterNested();
    }
    const entry = this.#hit(address, bytes, tag);
    f.if(VOID, true);
    pushPlace(f, address, entry);
    f.set(place);
    f.else();
    this.enterNested();
    this.leaveOnMiss();
    this.leaveNested();
    f.end();
    if (page !== undefined) {
      this.leaveNested();
      f.end();
    }
  }

  /** A page that was looked up before, where an access at `address` is likely to lie in it. */
  protected knownPage(_address: Node): KnownPage | undefined {
    return undefined;
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
