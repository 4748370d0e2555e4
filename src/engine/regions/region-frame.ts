import type { FunctionWriter } from '../../wasm/mod.ts';
import { I32, I64 } from '../../wasm/mod.ts';
import type { RegionGraph } from './graph.ts';
import { entriesAt } from './region-table.ts';

/** Where a region keeps what it needs to come and go. */
export class RegionFrame {
  readonly f: FunctionWriter;
  readonly graph: RegionGraph;
  /** type of handlers */
  readonly handlerType: number;
  /** type of what checks its neighbour pages */
  readonly checkPages: number;
  /** local: budget left, in bytes of records, before the present block */
  readonly rest: number;
  /** local: RIP of byte 0 of the base page */
  readonly ripBase: number;
  /** local: record of the instruction whose helper did not simply return */
  readonly exitRecord: number;
  /** local: what its helper returned */
  readonly helperStatus: number;
  /** local: RIP to go on at, where an exit names no record; until then the RIP base */
  readonly exitRip: number;
  /** local: where an indirect jump goes to */
  readonly target: number;
  /** local: the word of the exit taken, then what `leaveRegion` or `afterHelper` want of it */
  readonly exit: number;
  /** where the entries of the region's table begin */
  readonly entriesAt: number;

  constructor(f: FunctionWriter, graph: RegionGraph, handlerType: number, checkPages: number) {
    this.checkPages = checkPages;
    this.f = f;
    this.graph = graph;
    this.handlerType = handlerType;
    this.rest = f.local(I32);
    this.ripBase = f.local(I64);
    this.exitRecord = f.local(I32);
    this.helperStatus = f.local(I32);
    this.exitRip = f.local(I64);
    this.target = f.local(I64);
    this.exit = f.local(I32);
    this.entriesAt = entriesAt(graph.pages.size - 1);
  }

  /** Cuts the address on the stack to 32 bits, outside 64-bit mode. */
  cutRip(): void {
    if (this.graph.bits !== 64) this.f.i64Const(0xffff_ffffn).op(0x83);
  }
}
