import { assert } from '../../util/mod.ts';
import { VOID } from '../../wasm/mod.ts';
import { CS, gatesOf, SEGMENT, STATE } from '../../x86/mod.ts';
import { CHECK_PAGES, pushEpoch } from '../handlers/check-pages.ts';
import { CPU, CURSOR, PC, TLB_BASE } from '../handlers/handler-emitter.ts';
import { countBudget } from '../handlers/leave-region.ts';
import { EXIT } from '../record.ts';
import type { RegionInstruction } from './graph.ts';
import type { RegionFrame } from './region-frame.ts';
import { REGION_TABLE } from './region-table.ts';

const PAGE = 4096;

/** The way into a region. */
export class RegionEntry {
  readonly #frame: RegionFrame;

  constructor(frame: RegionFrame) {
    this.#frame = frame;
  }

  /**
   * Emits the beginning of a region's function: it must hold where it is entered, and there must be budget. Registers
   * are loaded behind it.
   */
  emit(): void {
    const f = this.#frame.f;
    f.get(CPU).i64Load(STATE.ripBase).set(this.#frame.ripBase);
    const root = this.#frame.graph.root.instructions[0] as RegionInstruction;
    const basePage = Math.floor(root.at / PAGE);
    assert(basePage === 0, 'the root lies in the base page');
    const { ripBase } = this.#frame.graph;
    if (ripBase !== undefined) this.#testPlace(ripBase);
    if (this.#frame.graph.pages.size > 1) this.#checkPages();
    const gates = this.#gates();
    if (gates !== 0) {
      f.get(CPU).i32Load(STATE.trapGate).i32Const(gates).i32And().if(VOID, false);
      this.#declineEntry();
      f.end();
    }
    f.get(CURSOR).get(PC).i32Sub().set(this.#frame.rest);
    f.get(CPU).i32Load(STATE.attention).i32Const(0).op(0x48).if(VOID, false);
    f.get(CPU);
    if (ripBase === undefined) f.get(this.#frame.ripBase).i64Const(BigInt(root.at)).i64Add();
    else f.i64Const(BigInt((ripBase + root.at) >>> 0));
    f.i64Store(STATE.rip);
    f.get(CPU).get(this.#frame.rest).i32Store(STATE.budget);
    f.i32Const(EXIT.budget).return();
    f.end();
    f.get(this.#frame.ripBase).set(this.#frame.exitRip);
    countBudget(f, CPU, this.#frame.rest, 'in');
  }

  /** Neighbour pages must still be mapped to the frames the region was made from. */
  #checkPages(): void {
    const { f, ripBase, graph, checkPages } = this.#frame;
    const isWide = graph.bits === 64;
    if (isWide) {
      f.ownValue().i64Load(REGION_TABLE.epoch);
      pushEpoch(f, ripBase, TLB_BASE);
      f.op(0x52); // ne
      f.ownValue().i64Load(REGION_TABLE.ripBase).get(ripBase).op(0x52).i32Or();
      f.if(VOID, false);
    }
    f.ownValue().get(ripBase).get(CPU).get(TLB_BASE);
    f.i32Const(isWide ? CHECK_PAGES.wide : CHECK_PAGES.narrow).callIndirect(checkPages);
    f.i32Eqz().if(VOID, false);
    f.get(CPU).get(PC).i32Store(STATE.pc);
    f.get(CPU).get(CURSOR).get(PC).i32Sub().i32Store(STATE.budget);
    f.i32Const(EXIT.guard).return();
    f.end();
    if (isWide) f.end();
  }

  /** Goes on with the handler of the first instruction instead of the region. */
  #declineEntry(): void {
    this.#frame.f
      .get(PC)
      .get(CURSOR)
      .get(CPU)
      .get(TLB_BASE)
      .ownValue()
      .i32Load(REGION_TABLE.handler)
      .returnCallIndirect(this.#frame.handlerType);
  }

  /** The region holds for one RIP of its base page, and while all of it lies in the code segment. */
  #testPlace(ripBase: number): void {
    const f = this.#frame.f;
    f.get(this.#frame.ripBase).i64Const(BigInt(ripBase)).op(0x52); // ne
    let end = 0;
    for (const block of this.#frame.graph.blocks)
      for (const { at, length } of block.instructions) end = Math.max(end, at + length);
    f.i64Const(BigInt(ripBase + end - 1));
    f.get(CPU).memory([0x35], STATE.segments + CS * SEGMENT.bytes + SEGMENT.limit); // i64.load32_u
    f.op(0x56).i32Or().if(VOID, false); // gt_u
    this.#declineEntry();
    f.end();
  }

  #gates(): number {
    let gates = 0;
    for (const block of this.#frame.graph.blocks) {
      for (const { encoding, bails } of block.instructions) if (!bails) gates |= gatesOf(encoding);
    }
    return gates;
  }
}
