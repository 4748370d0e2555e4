import type { Access, Block, FieldRef, Node } from '../../ir/mod.ts';
import { assert } from '../../util/mod.ts';
import { F32, F64, type FunctionWriter, I32, type ValueType, VOID } from '../../wasm/mod.ts';
import { describe, factTests, RSP, STATE } from '../../x86/mod.ts';
import { LOAD, STORE } from '../emit/accesses.ts';
import { BodyEmitter, type KnownPage } from '../emit/body-emitter.ts';
import { RECIPE } from '../flags/recipe.ts';
import { CPU, emitTlbSwitch, TLB_BASE } from '../handlers/handler-emitter.ts';
import type { RegionTypes } from '../handlers/region-types.ts';
import { RECORD } from '../record.ts';
import { shapeOf } from '../shape-key.ts';
import { EXIT_ENTRY, entryExit, ripExit } from './exit-entry.ts';
import { DYNAMIC, FlagLocals, isFlagField, type WideRecipe } from './flag-locals.ts';
import { GeneralRegisters } from './general-registers.ts';
import type { RegionBlock, RegionGraph, RegionInstruction } from './graph.ts';
import type { LoopFacts } from './loop-facts.ts';
import { PROFILE, PROFILE_TARGETS } from './profile.ts';
import { RegionEntry } from './region-entry.ts';
import { RegionExits } from './region-exits.ts';
import { RegionFrame } from './region-frame.ts';
import { FLAG_OPS, FLOAT_OPS, HOST_ROUNDING, RegionSemantics } from './region-semantics.ts';
import { EXIT_KIND, type RegionExit } from './region-table.ts';
import { isNearRsp, StackPage } from './stack-page.ts';
import { markInstruction } from './trace.ts';
import { VectorLocals } from './vector-locals.ts';

const PAGE = 4096;

/** The helper for accesses that may lie outside of their segments: handlers do those. */
const CHECK_SEGMENT = 'checkSegment';

/**
 * The WebAssembly blocks around a region's code, outermost first. An exit branches, with its number, to the
 * one for the place where its flags are, so that no other place need be kept for it.
 */
const OUTER = {
  ...{ helper: 0, spilled: 1, done: 2, dynamic: 3, fields: 4, wide: 5, narrow: 6 },
  count: 7,
} as const;
type OuterLabel = Exclude<keyof typeof OUTER, 'count'>;

type Label =
  | { readonly kind: 'block' | 'loop'; readonly target: RegionBlock }
  | { readonly kind: 'other' };

/**
 * Emits a region as one WebAssembly function of the handlers' type. General registers and flags live in
 * locals. Whatever the straight path cannot do (a TLB miss, a fault, a helper, code outside the region)
 * leaves: registers and flags are written back, and execution goes on with the instruction's handler or
 * with the record of the next RIP. So state is precise at every exit, and nothing of the region stays
 * on the stack.
 *
 * Control flow is structured from the dominator tree (N. Ramsey, "Beyond Relooper", ICFP 2022).
 */
export class RegionEmitter extends BodyEmitter {
  protected override readonly leavesOnMiss = true;
  protected override readonly keepsFloats = true;
  readonly #graph: RegionGraph;
  readonly #recordAt: (at: number) => number;
  readonly #exits: RegionExits;
  readonly #labelsUsed = new Set<OuterLabel>();
  readonly #registers: GeneralRegisters;
  readonly #flags: FlagLocals;
  readonly #frame: RegionFrame;
  readonly #vectors: VectorLocals;
  readonly #stack: StackPage;
  readonly #loopFacts: LoopFacts;
  /** what is known of vector registers where a block begins that several lead to */
  readonly #merged = new Map<RegionBlock, Uint8Array>();
  /** 1 when MXCSR is HOST_ROUNDING; undefined while nothing asks for it */
  #hostRounds: number | undefined;
  readonly #marks: { readonly at: number; readonly kind: 'spill' | 'load' | 'stack' }[] = [];
  readonly #labels: Label[] = [];
  readonly #pools = new Map<ValueType, number[]>();
  readonly #taken = new Map<ValueType, number>();
  #nestedFlags = false;
  #nesting = 0;
  /** the present instruction called a helper that has effects */
  #helped = false;
  #block!: RegionBlock;
  #instruction!: RegionInstruction;
  #position = 0;

  /**
   * @param helper function index of a helper
   * @param handlerType type of handlers
   * @param types types of what else is called through the table
   */
  constructor(
    f: FunctionWriter,
    helper: (name: string) => number,
    handlerType: number,
    types: RegionTypes,
    graph: RegionGraph,
    recordAt: (at: number) => number,
    loopFacts: LoopFacts,
  ) {
    super(f, { loadSlow: -1, updateSlow: -1, storeSlow: -1, helper });
    this.#graph = graph;
    this.#recordAt = recordAt;
    this.#registers = new GeneralRegisters(f);
    const host = { imports: this.imports, allocate: (type: ValueType) => this.allocate(type) };
    this.#flags = new FlagLocals(f, host, types.storeFlags);
    this.#frame = new RegionFrame(f, graph, handlerType, types.checkPages);
    this.#exits = new RegionExits(this.#frame, types);
    this.#vectors = new VectorLocals(f, CPU);
    this.#stack = new StackPage(f, graph);
    this.#loopFacts = loopFacts;
  }

  /** Emits the whole function. Returns its exits: see region-table.ts. */
  emitRegion(): readonly RegionExit[] {
    const f = this.f;
    f.block(); // helper
    for (let label = OUTER.helper + 1; label < OUTER.count; label++) f.block(I32);
    for (let label = 0; label < OUTER.count; label++) this.#labels.push({ kind: 'other' });
    this.#tree(this.#graph.root);
    f.unreachable();
    this.#endOuter('narrow', () => this.#flags.storeNarrow(() => this.#exits.pushRecipe()));
    this.#endOuter('wide', () => this.#flags.storeWide(() => this.#exits.pushRecipe()));
    this.#endOuter('fields', () => this.#flags.storeFields());
    this.#endOuter('dynamic', () => this.#flags.dynamicToState());
    this.#endOuter('done', () => {});
    f.end().set(this.#frame.exit);
    this.#labels.pop();
    this.#exits.epilogue();
    f.return();
    f.end();
    this.#labels.pop();
    if (this.#labelsUsed.has('helper')) this.#exits.helperEpilogue();
    else f.unreachable();
    // Which registers must be loaded at the start, and around helpers, is known only now.
    const body = f.takeCode();
    new RegionEntry(this.#frame).emit();
    this.#load();
    this.#findStack();
    this.#flags.enter();
    let done = 0;
    for (const { at, kind } of this.#marks) {
      f.putCode(body, done, at);
      if (kind === 'spill') this.#spill();
      else if (kind === 'load') this.#load();
      else this.#findStack();
      done = at;
    }
    f.putCode(body, done, body.bytes.length);
    return this.#exits.list;
  }

  /**
   * Ends the block of exits whose flags are in one place: `store` writes them to the state. Registers are written first:
   * what is live across the call that stores flags would go to the stack and back.
   */
  #endOuter(label: OuterLabel, store: () => void): void {
    const f = this.f;
    f.end();
    this.#labels.pop();
    if (!this.#labelsUsed.has(label)) {
      f.unreachable();
      return;
    }
    f.set(this.#frame.exit);
    this.#mark('spill');
    store();
    f.get(this.#frame.exit);
    f.br(this.#outerDepth('spilled'));
  }

  #outerDepth(label: OuterLabel): number {
    return this.#labels.length - 1 - OUTER[label] + this.#nesting;
  }

  /** Writes the registers that the region changes back to the state. */
  #spill(): void {
    this.#registers.spill();
    this.#vectors.store();
  }

  /** Loads the registers that the region uses. */
  #load(): void {
    this.#registers.load();
    this.#vectors.load();
    this.#testRounding();
  }

  #findStack(): void {
    this.#stack.find(this.#registers.local(RSP));
  }

  protected override knownPage(address: Node): KnownPage | undefined {
    return this.#stack.of(address);
  }

  /** Code that depends on which registers the whole region uses goes here when that is known. */
  #mark(kind: 'spill' | 'load' | 'stack'): void {
    this.#marks.push({ at: this.f.code.length, kind });
  }

  // --- entry and exit

  /** Looks at MXCSR: at the start, and where it was written. */
  #testRounding(): void {
    if (this.#hostRounds === undefined) return;
    this.f.get(CPU).i32Load(STATE.mxcsr).i32Const(HOST_ROUNDING.mask).i32And();
    this.f.i32Const(HOST_ROUNDING.value).op(0x46).set(this.#hostRounds);
  }

  /** Leaves to the handler of the present instruction, which does it again from its start. */
  #bail(): void {
    const { at } = this.#instruction;
    this.#leave({ kind: EXIT_KIND.handler, at, left: this.#uncharged() });
  }

  /**
   * Leaves to the instruction at `at`: straight to its record when it has one in a page that was checked.
   * In the middle of a block `done` says how many bytes the present instruction was charged.
   */
  #leaveTo(at: number, done?: number): void {
    const left = done === undefined ? 0 : this.#uncharged() - done;
    if (this.#graph.pages.has(Math.floor(at / PAGE)) && this.#recordAt(at) !== 0) {
      this.#leave({ kind: EXIT_KIND.record, at, left });
      return;
    }
    this.#pushRip(at);
    this.f.set(this.#frame.exitRip);
    this.#leaveByRip(left);
  }

  /** Leaves to the RIP in #exitRip; gives so many bytes of budget back. */
  #leaveByRip(left = 0): void {
    this.#leaveWith((recipe) => ripExit(left, recipe));
  }

  #leave(exit: RegionExit): void {
    const number = this.#exits.numberOf(exit);
    this.#leaveWith((recipe) => entryExit(number, recipe));
  }

  /** Leaves with a word for the recipe of the flags. */
  #leaveWith(word: (recipe: number) => number): void {
    const recipe = this.#flags.recipe;
    const label: OuterLabel =
      recipe === DYNAMIC
        ? 'dynamic'
        : recipe === RECIPE.memory
          ? 'done'
          : recipe === RECIPE.fields
            ? 'fields'
            : recipe >= RECIPE.add32
              ? 'narrow'
              : 'wide';
    this.#labelsUsed.add(label);
    this.f.i32Const(word(Math.max(recipe, 0))).br(this.#outerDepth(label));
  }

  #pushRipBase(page: number): void {
    this.f.get(this.#frame.ripBase);
    if (page !== 0) this.f.i64Const(BigInt(page * PAGE)).i64Add();
  }

  // --- control flow

  /** Emits `block` and everything it dominates. */
  #tree(block: RegionBlock): void {
    const merges = block.dominated
      .filter((child) => child.isMerge)
      .sort((left, right) => right.order - left.order);
    if (block.isLoop) {
      const assumed = this.#loopFacts.enter(block, this.#vectors.allFacts());
      this.#testFacts(block, assumed);
      this.#flags.settle();
      this.f.loop();
      this.#labels.push({ kind: 'loop', target: block });
      this.#flags.merge();
      this.#vectors.enterLoop(assumed);
      this.#within(block, merges);
      this.#loopFacts.want(block, this.#vectors.leaveLoop());
      this.#labels.pop();
      this.f.end();
    } else this.#within(block, merges);
  }

  /** Tests what is assumed at the head of a loop and not known; leaves when it does not hold. */
  #testFacts(head: RegionBlock, assumed: Uint8Array): void {
    const missing = this.#vectors.missing(assumed);
    if (missing.length === 0) return;
    const instruction = head.instructions[0] as RegionInstruction;
    this.#block = head;
    this.#instruction = instruction;
    this.#position = head.instructions.length; // nothing of the block is charged yet
    const b = new RegionSemantics(shapeOf(0), instruction.operands, this.#vectors);
    const tests = missing.flatMap(({ offset, facts }) => factTests(b, offset, facts));
    b.guard(tests, () => b.helper('leave'));
    this.emitBody(b.finish());
    for (const { offset, facts } of missing) this.#vectors.learn(offset, facts);
  }

  #within(block: RegionBlock, merges: RegionBlock[]): void {
    const [outermost, ...rest] = merges;
    if (outermost === undefined) {
      this.#straight(block);
      return;
    }
    this.f.block();
    this.#labels.push({ kind: 'block', target: outermost });
    this.#within(block, rest);
    this.#labels.pop();
    this.f.end();
    this.#flags.merge();
    const known = this.#merged.get(outermost);
    if (known === undefined) this.#vectors.forget();
    else this.#vectors.restore(known);
    this.#tree(outermost);
  }

  #straight(block: RegionBlock): void {
    const f = this.f;
    this.#block = block;
    const charged = block.instructions.length * RECORD.bytes;
    f.get(this.#frame.rest).i32Const(charged).i32Sub().set(this.#frame.rest);
    for (let i = 0; i < block.instructions.length; i++) {
      this.#block = block;
      this.#position = i;
      this.#instruction = block.instructions[i] as RegionInstruction;
      this.#taken.clear();
      if (this.#instruction.bails) {
        this.#bail();
        return;
      }
      if (this.#graph.marks !== undefined) markInstruction(f, this.#graph.marks, this.#instruction);
      if (!this.#meaning(this.#instruction)) return;
    }
    const last = block.instructions.at(-1) as RegionInstruction;
    if (last.encoding.attributes.has('ends')) return;
    if (block.next !== undefined) this.#branchTo(block, block.next);
    else {
      this.#leaveTo(last.at + last.length);
    }
  }

  #pushRip(at: number): void {
    const { ripBase, pages } = this.#graph;
    if (ripBase !== undefined) {
      this.f.i64Const(BigInt((ripBase + at) >>> 0));
      return;
    }
    this.f.get(this.#frame.ripBase);
    if (at !== 0) this.f.i64Const(BigInt(at)).i64Add();
    // Pages of a region do not lie across the end of the address space.
    if (!pages.has(Math.floor(at / PAGE))) this.#frame.cutRip();
  }

  /** Goes from `block` to `target`: a back-edge, a jump to a merge point, or straight into its code. */
  #branchTo(block: RegionBlock, target: RegionBlock): void {
    const f = this.f;
    const backward = target.order <= block.order;
    if (!backward && !target.isMerge) {
      const outer = {
        block: this.#block,
        instruction: this.#instruction,
        position: this.#position,
        recipe: this.#flags.recipe,
        holdsOperands: this.#flags.holdsOperands,
        nesting: this.#nesting,
      };
      // Wasm blocks opened by the meaning's own `if` are labels like any other.
      for (let i = 0; i < outer.nesting; i++) this.#labels.push({ kind: 'other' });
      this.#nesting = 0;
      const pools = this.#savePools();
      const facts = this.#vectors.save();
      this.#tree(target);
      this.#vectors.restore(facts);
      this.#restorePools(pools);
      for (let i = 0; i < outer.nesting; i++) this.#labels.pop();
      this.#nesting = outer.nesting;
      this.#block = outer.block;
      this.#instruction = outer.instruction;
      this.#position = outer.position;
      this.#flags.recipe = outer.recipe;
      this.#flags.holdsOperands = outer.holdsOperands;
      return;
    }
    if (backward) this.#loopFacts.endRound(target, this.#vectors.allFacts());
    else this.#merged.set(target, this.#vectors.meet(this.#merged.get(target)));
    if (backward) {
      // Leave when the budget is used up. Attention is looked at on entry: budgets are short.
      f.get(this.#frame.rest).i32Const(0).op(0x48).if(VOID, false);
      this.#nesting++;
      this.#leaveTo((target.instructions[0] as RegionInstruction).at);
      this.#nesting--;
      f.end();
    }
    this.#flags.settle();
    f.br(this.#depthOf(target, backward ? 'loop' : 'block'));
  }

  #depthOf(target: RegionBlock, kind: 'block' | 'loop'): number {
    for (let i = this.#labels.length - 1; i >= 0; i--) {
      const label = this.#labels[i] as Label;
      if (label.kind === kind && label.target === target)
        return this.#labels.length - 1 - i + this.#nesting;
    }
    throw new Error('Vivarium internal error: region label not found');
  }

  // --- instructions

  /** Emits one instruction's meaning. False when it always left. */
  #meaning(instruction: RegionInstruction): boolean {
    const shape = shapeOf(instruction.shapeKey);
    const b = new RegionSemantics(shape, instruction.operands, this.#vectors);
    describe(b, instruction.encoding);
    const body = b.finish();
    if (body.block.some((node) => node.op === 'fault')) {
      // Leaves whatever happens: nothing of this instruction is done here.
      this.#bail();
      return false;
    }
    this.#helped = false;
    this.emitBody(body);
    for (const [offset, facts] of b.learned) this.#vectors.learn(offset, facts);
    if (body.block.some((node) => node.op === 'branch' || node.op === 'branch.relative'))
      return false;
    const { attributes } = instruction.encoding;
    if (attributes.has('serializes') || attributes.has('ends')) {
      this.#pushRip(instruction.at + instruction.length);
      this.f.set(this.#frame.exitRip);
      this.#leaveByRip();
      return false;
    }
    if (this.#helped) this.#heed(instruction);
    return true;
  }

  /** Behind a helper: what it did may have made this region's code stale, which sets `attention`. */
  #heed({ at, length }: RegionInstruction): void {
    const f = this.f;
    f.get(CPU).i32Load(STATE.attention).i32Const(0).op(0x48).if(VOID, false);
    this.#nesting++;
    this.#leaveTo(at + length, RECORD.bytes);
    this.#nesting--;
    f.end();
  }

  protected override allocate(type: ValueType): number {
    const pool = this.#pools.get(type) ?? [];
    this.#pools.set(type, pool);
    const used = this.#taken.get(type) ?? 0;
    this.#taken.set(type, used + 1);
    const found = pool[used];
    if (found !== undefined) return found;
    const local = this.f.local(type);
    pool.push(local);
    return local;
  }

  #savePools(): Map<ValueType, number> {
    return new Map(this.#taken);
  }
  #restorePools(saved: Map<ValueType, number>): void {
    this.#taken.clear();
    for (const [type, used] of saved) this.#taken.set(type, used);
  }

  /** What was never decoded has never run: a branch there, or on past one, is not to be expected. */
  protected override expects(node: Node): boolean | undefined {
    const { at, length, target } = this.#instruction;
    const branches = node.blocks?.[0]?.some(({ op }) => op === 'branch.relative');
    if (branches !== true || target === undefined) return super.expects(node);
    const { taken, next } = this.#block;
    if (taken === undefined && this.#recordAt(target) === 0) return false;
    return next === undefined && this.#recordAt(at + length) === 0 ? true : undefined;
  }

  protected override beforeNested(blocks: readonly Block[]): void {
    if (this.guarding || !blocks.some(touchesFlags)) return;
    this.#flags.toFields();
    this.#nestedFlags = true;
  }
  protected override enterNested(): void {
    this.#nesting++;
  }
  protected override leaveNested(): void {
    this.#nesting--;
    if (this.#nestedFlags && this.#nesting === 0) {
      this.#nestedFlags = false;
      this.#flags.holdsOperands = true;
    }
  }

  /** Puts the operands of the instruction that sets the flags where conditions find them. */
  #setRecipe(node: Node): void {
    const [left, right, result] = node.args as readonly [Node, Node, Node];
    const recipe = node.imm as WideRecipe;
    const operands = recipe === RECIPE.logic ? [result] : [left, right, result];
    const narrow = operands.every((each) => this.isNarrowSigned(each));
    // All operands are read before any place is written: they may be the same locals.
    for (const each of operands) {
      if (narrow) {
        this.low32(each);
        this.f.op(0xad);
      } else this.value(each);
    }
    this.#flags.take(recipe, narrow);
    if (this.#nesting > 0) this.#flags.toFields();
  }

  protected override dialectStatement(node: Node): boolean {
    const f = this.f;
    switch (node.op) {
      case FLAG_OPS.recipe:
        this.#setRecipe(node);
        return true;
      case FLAG_OPS.condition:
        if (node.uses === 0) return true;
        this.#flags.condition(node.imm as number);
        f.set(this.define(node));
        return true;
      case FLAG_OPS.carry:
        if (node.uses === 0) return true;
        this.#flags.carry();
        f.set(this.define(node));
        return true;
      case FLOAT_OPS.hostRounds:
        this.#hostRounds ??= f.local(I32);
        f.get(this.#hostRounds).set(this.define(node));
        return true;
      default:
        return false;
    }
  }

  // --- fields

  protected fieldAddress(field: FieldRef): number {
    assert(field.kind === 'fixed', 'regions know their operands');
    this.f.get(CPU);
    return field.offset;
  }

  protected override readField(field: FieldRef, access: Access): void {
    assert(field.kind === 'fixed', 'regions know their operands');
    const f = this.f;
    const offset = field.offset;
    if (this.#registers.owns(offset)) {
      this.#registers.read(offset, access);
      return;
    }
    if (offset === STATE.zero) {
      f.i64Const(0n);
      return;
    }
    if (offset === STATE.constant4000) {
      f.i64Const(0x4000n);
      return;
    }
    if (offset === STATE.ripBase) {
      this.#pushRipBase(Math.floor(this.#instruction.at / PAGE));
      return;
    }
    if (this.#vectors.owns(offset)) {
      this.#vectors.read(offset, access);
      return;
    }
    const flag = this.#flags.field(offset);
    if (flag !== undefined) {
      this.#flags.toFields();
      f.get(flag);
      return;
    }
    f.get(CPU).memory(LOAD[access], offset);
  }

  protected override writeField(field: FieldRef, access: Access, node: Node): void {
    assert(field.kind === 'fixed', 'regions know their operands');
    const value = (): void => this.value(node);
    const f = this.f;
    const offset = field.offset;
    if (this.#registers.owns(offset)) {
      this.#registers.write(offset, access, value);
      if (offset >> 3 === RSP && !(access === 'i64' && isNearRsp(node))) this.#mark('stack');
      return;
    }
    const flag = this.#flags.field(offset);
    if (flag !== undefined) {
      this.#flags.toFields();
      value();
      f.set(flag);
      return;
    }
    if (this.#vectors.owns(offset)) {
      const float = this.floatOf(node);
      const matches = float?.type === (access === 'i64' ? F64 : F32);
      if (float !== undefined && matches && (access === 'i64' || access === 'i64.32u'))
        this.#vectors.write(offset, access === 'i64' ? 'f64' : 'f32', () => f.get(float.local));
      else this.#vectors.write(offset, access, value);
      return;
    }
    f.get(CPU);
    value();
    f.memory(STORE[access], offset);
    if (offset === STATE.mxcsr) {
      this.#hostRounds ??= f.local(I32);
      this.#testRounding();
    }
  }

  protected override readsAsFloat(field: FieldRef): boolean {
    return field.kind === 'fixed' && this.#vectors.owns(field.offset) && field.offset % 8 === 0;
  }

  protected slotOffset(): void {
    throw new Error('Vivarium internal error: regions know their operands');
  }

  protected parameter(which: string): void {
    const { at, length } = this.#instruction;
    if (which === 'rip') this.#pushRip(at);
    else if (which === 'nextRip') this.#pushRip(at + length);
    else throw new Error(`Vivarium internal error: parameter ${which}`);
  }

  protected privilegeChanged(): void {
    emitTlbSwitch(this.f, CPU, TLB_BASE);
    this.#mark('stack');
  }

  protected tlbBase(): void {
    this.f.get(TLB_BASE);
  }

  // --- leaving

  /** A TLB miss: the handler does the access and what follows, until the next region. */
  protected override leaveOnMiss(): void {
    this.#bail();
  }

  protected bounceAddress(): void {
    throw new Error('Vivarium internal error: regions leave on a miss');
  }
  protected leaveFaulted(): void {
    this.#bail();
  }
  protected raise(): void {
    this.#bail();
  }
  /**
   * Calls a helper with the state as it is before this instruction: registers and flags written back, and
   * loaded again after. A helper that faults, redirects or stops leaves the region.
   */
  protected effectHelper(name: string, isLast: boolean, args: () => void): void {
    if (this.guarding || name === CHECK_SEGMENT) {
      this.#bail();
      return;
    }
    const f = this.f;
    this.#helped = true;
    const { at, length } = this.#instruction;
    const left = this.#uncharged();
    const number = this.#exits.numberOf({ kind: EXIT_KIND.helper, at, length, left });
    this.#flags.toState();
    this.#mark('spill');
    f.get(CPU);
    this.#exits.pushField(number, EXIT_ENTRY.record);
    f.i32Store(STATE.pc);
    f.get(CPU);
    this.#pushRipBase(Math.floor(at / PAGE));
    f.i64Store(STATE.ripBase);
    args();
    f.callNamed(this.imports.helper(name), name);
    this.leavesWith(this.#frame.helperStatus, isLast);
    f.if(VOID, false);
    f.i32Const(entryExit(number, 0)).set(this.#frame.exit);
    this.#labelsUsed.add('helper');
    this.#nesting++;
    f.br(this.#outerDepth('helper'));
    this.#nesting--;
    f.end();
    this.#mark('load');
    this.#vectors.forget();
    f.get(CPU).i32Load(STATE.tlb).set(TLB_BASE);
    this.#mark('stack');
    if (this.#nesting > 0) this.#flags.loadFields();
    else this.#flags.recipe = RECIPE.memory;
  }

  /** Bytes of the block's charge that belong to the present instruction and those behind it. */
  #uncharged(): number {
    return (this.#block.instructions.length - this.#position) * RECORD.bytes;
  }

  protected branchRelative(): void {
    const { target } = this.#instruction;
    const taken = this.#block.taken;
    if (taken !== undefined) {
      this.#branchTo(this.#block, taken);
      return;
    }
    this.#leaveTo(target as number);
  }

  /** Goes to the target whose offset is in `offset`, by halving; falls out when it is none of them. */
  #select(offset: number, targets: readonly RegionBlock[]): void {
    const f = this.f;
    const [only] = targets;
    if (only === undefined) return;
    if (targets.length === 1) {
      f.get(offset).i32Const(entryOf(only)).op(0x46).if();
      this.#nesting++;
      this.#branchTo(this.#block, only);
    } else {
      const middle = targets.length >> 1;
      f.get(offset)
        .i32Const(entryOf(targets[middle] as RegionBlock))
        .op(0x48)
        .if(); // lt_s
      this.#nesting++;
      this.#select(offset, targets.slice(0, middle));
      f.else();
      this.#select(offset, targets.slice(middle));
    }
    this.#nesting--;
    f.end();
  }

  /** Notes where an indirect jump leaves to: see profile.ts. */
  #remember(offset: number): void {
    const f = this.f;
    const { at } = this.#instruction;
    const entry = this.#exits.numberOf({ kind: EXIT_KIND.profile, at, left: 0 });
    const [profile, count] = [this.allocate(I32), this.allocate(I32)];
    this.#exits.pushField(entry, EXIT_ENTRY.record);
    f.tee(profile).i32Load(PROFILE.count).set(count);
    f.get(profile).get(count).i32Const(1).i32Add().i32Store(PROFILE.count);
    f.get(count)
      .i32Const(PROFILE_TARGETS - 1)
      .i32And()
      .i32Const(2)
      .op(0x74)
      .get(profile)
      .i32Add();
    f.get(offset).i32Store(PROFILE.ring);
  }

  protected branch(rip: () => void): void {
    const f = this.f;
    rip();
    f.set(this.#frame.target);
    const back = this.#block.taken;
    if (back !== undefined) {
      // A return from a call inside the region: usually to where the call was.
      f.get(this.#frame.target);
      this.#pushRip((back.instructions[0] as RegionInstruction).at);
      f.op(0x51).if(VOID, true);
      this.#nesting++;
      this.#branchTo(this.#block, back);
      this.#nesting--;
      f.end();
    }
    const { profile } = this.#instruction;
    if (profile !== 0) {
      const offset = this.allocate(I32);
      f.get(this.#frame.target).get(this.#frame.ripBase).op(0x7d).wrap().set(offset);
      // Beyond 2 GiB another place has the same offset.
      f.get(offset)
        .op(0xac)
        .get(this.#frame.ripBase)
        .i64Add()
        .get(this.#frame.target)
        .op(0x51)
        .if(VOID, true);
      this.#nesting++;
      const targets = [...new Set(this.#block.targets)].sort(
        (left, right) => entryOf(left) - entryOf(right),
      );
      this.#select(offset, targets);
      this.#remember(offset);
      this.#nesting--;
      f.end();
    }
    f.get(this.#frame.target).set(this.#frame.exitRip);
    this.#leaveByRip();
  }
}

function entryOf(block: RegionBlock): number {
  return (block.instructions[0] as RegionInstruction).at;
}

function touchesFlags(block: Block): boolean {
  return block.some(
    (node) =>
      node.op.startsWith('flags.') ||
      (node.op === 'helper' && node.imm !== CHECK_SEGMENT) ||
      ((node.op === 'state.write' || node.op === 'state.read') &&
        node.field?.kind === 'fixed' &&
        isFlagField(node.field.offset)) ||
      (node.blocks ?? []).some(touchesFlags),
  );
}
