import { type FunctionCode, FunctionWriter, I32, I64, VOID } from '../../wasm/mod.ts';
import { NEIGHBOUR, REGION_TABLE } from '../regions/region-table.ts';
import { TLB } from '../tlb-layout.ts';
import { emitLinear, pushExecuteEntry, pushHalf } from './dispatch.ts';

/** Table indexes of what checks a region's neighbour pages, in 64-bit code and in other code: see `checkPagesBody`. */
export const CHECK_PAGES = { wide: 11, narrow: 12 } as const;

/**
 * Pushes the epoch of the execute translations of the half of the address space that `rip` (a local), of 64-bit code,
 * lies in: it is another one once any of them has been flushed.
 */
export function pushEpoch(f: FunctionWriter, rip: number, tlb: number): void {
  pushHalf(f, rip, 8);
  f.get(tlb).i32Add().i64Load(TLB.epoch);
}

/**
 * (region's table, RIP of its base page, cpu, tlb) → 1 when its neighbour pages are where they were when the region was
 * made. In 64-bit code the table notes the epoch in which that was found: it need not be looked at again until the next.
 * A region around the end of the address space has pages in both halves, and no epoch says enough.
 */
export function checkPagesBody(isWide: boolean): FunctionCode {
  const [TABLE, RIP_BASE, CPU, TLB_BASE] = [0, 1, 2, 3] as const;
  const f = new FunctionWriter(4);
  const [entry, page, left] = [f.local(I32), f.local(I32), f.local(I32)];
  const [linear, crossed] = [f.local(I64), f.local(I64)];
  f.get(TABLE).set(page);
  f.get(TABLE).i32Load(REGION_TABLE.count).set(left);
  f.block().loop();
  f.get(left).i32Eqz().brIf(1);
  f.get(RIP_BASE).get(page);
  f.memory([0x34], REGION_TABLE.pages + NEIGHBOUR.page); // i64.load32_s
  f.i64Const(12n).op(0x86).i64Add().set(linear);
  if (!isWide) {
    emitLinear(f, linear, CPU, linear);
    f.get(linear).i64Const(0xffff_ffffn).op(0x83).set(linear);
  }
  f.get(crossed).get(linear).get(RIP_BASE).op(0x85).op(0x84).set(crossed); // or (xor)
  pushExecuteEntry(f, linear, TLB_BASE);
  f.tee(entry).i64Load(TLB.execute).get(linear).op(0x52); // ne
  f.get(entry).i32Load(TLB.execute + TLB.executeFrame);
  f.get(page)
    .i32Load(REGION_TABLE.pages + NEIGHBOUR.frame)
    .op(0x47)
    .i32Or(); // ne
  f.if(VOID, false).i32Const(0).return().end();
  f.get(page).i32Const(NEIGHBOUR.bytes).i32Add().set(page);
  f.get(left).i32Const(1).i32Sub().set(left);
  f.br(0);
  f.end().end();
  if (isWide) {
    f.get(crossed).i64Const(0n).op(0x59).if(); // ge_s: the sign is the half
    f.get(TABLE);
    pushEpoch(f, RIP_BASE, TLB_BASE);
    f.i64Store(REGION_TABLE.epoch);
    f.get(TABLE).get(RIP_BASE).i64Store(REGION_TABLE.ripBase);
    f.end();
  }
  f.i32Const(1);
  return f.finish();
}
