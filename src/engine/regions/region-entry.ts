import { assert } from '../../util/mod.ts';
import { I32, VOID } from '../../wasm/mod.ts';
import { CS, gatesOf, SEGMENT, STATE } from '../../x86/mod.ts';
import { pushExecuteEntry } from '../handlers/dispatch.ts';
import { CPU, CURSOR, PC, TLB_BASE } from '../handlers/handler-emitter.ts';
import { countBudget } from '../handlers/leave-region.ts';
import { EXIT } from '../record.ts';
import { TLB } from '../tlb-layout.ts';
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
    // Neighbour pages must still be mapped to the frames the region was made from, and gates be open.
    let checks = 0;
    const entry = f.local(I32);
    for (const page of this.#frame.graph.pages.keys()) {
      if (page === 0) continue;
      f.get(this.#frame.ripBase)
        .i64Const(BigInt(page * PAGE))
        .i64Add();
      f.get(CPU)
        .i64Load(STATE.segments + CS * SEGMENT.bytes + SEGMENT.base)
        .i64Add();
      this.#frame.cutRip();
      f.set(this.#frame.target);
      pushExecuteEntry(f, this.#frame.target, TLB_BASE);
      f.tee(entry);
      f.i64Load(TLB.execute).get(this.#frame.target).op(0x52); // ne
      f.get(entry)
        .i32Load(TLB.execute + TLB.executeFrame)
        .getOwnGlobal()
        .i32Load(REGION_TABLE.frames + 4 * checks)
        .op(0x47)
        .i32Or();
      if (checks++ > 0) f.i32Or();
    }
    if (checks > 0) {
      f.if(VOID, false);
      f.get(CPU).get(PC).i32Store(STATE.pc);
      f.get(CPU).get(CURSOR).get(PC).i32Sub().i32Store(STATE.budget);
      f.i32Const(EXIT.guard).return();
      f.end();
    }
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

  /** Goes on with the handler of the first instruction instead of the region. */
  #declineEntry(): void {
    this.#frame.f
      .get(PC)
      .get(CURSOR)
      .get(CPU)
      .get(TLB_BASE)
      .getOwnGlobal()
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
