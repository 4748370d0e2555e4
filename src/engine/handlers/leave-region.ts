import { type FunctionCode, FunctionWriter, I32, I64, VOID } from '../../wasm/mod.ts';
import { STATE } from '../../x86/mod.ts';
import { EXIT, RECORD } from '../record.ts';
import { EXIT_ENTRY, EXIT_WORD } from '../regions/exit-entry.ts';
import { emitDispatch } from './dispatch.ts';

/** Table indexes of what goes on behind a region, in 64-bit code and in other code: see `leaveRegionBody`. */
export const LEAVE_REGION = { wide: 9, narrow: 10 } as const;
/** One exit in so many, a power of two, leaves to TypeScript. */
const SAMPLED_EXITS = 128;

const [LEFT_BY, REST, CPU, TLB_BASE, RIP] = [0, 1, 2, 3, 4] as const;

/**
 * Counts instructions run in regions, for the statistics: the way in adds the budget in the local `rest`, the way out
 * takes off what is left of it.
 */
export function countBudget(f: FunctionWriter, cpu: number, rest: number, way: 'in' | 'out'): void {
  f.get(cpu).get(cpu).i64Load(STATE.regionBytes).get(rest).op(0xac); // i64.extend_i32_s
  f.op(way === 'in' ? 0x7c : 0x7d).i64Store(STATE.regionBytes); // add, sub
}

/**
 * (exit, rest of the budget, cpu, tlb, rip): goes on where the exit says. It is the word of one that goes on at `rip`, or
 * the entry of one that names a record; then `rip` is the RIP of the region's base page. Registers and flags are written
 * back. All regions share it, so that it stays in the host's caches, and regions are small.
 */
export function leaveRegionBody(handlerType: number, isWide: boolean): FunctionCode {
  const f = new FunctionWriter(5);
  const [record, handler, count] = [f.local(I32), f.local(I32), f.local(I32)];
  const next = f.local(I64);
  f.get(LEFT_BY).i32Const(EXIT_WORD.rip).i32And().if();
  f.get(LEFT_BY).i32Const(EXIT_WORD.left).op(0x76).get(REST).i32Add().set(REST); // shr_u
  f.else();
  f.get(LEFT_BY).i32Load(EXIT_ENTRY.left).get(REST).i32Add().set(REST);
  f.get(LEFT_BY).i32Load(EXIT_ENTRY.handler).set(handler);
  f.get(LEFT_BY).i32Load(EXIT_ENTRY.record).set(record);
  f.get(LEFT_BY).memory([0x34], EXIT_ENTRY.page); // i64.load32_s
  f.i64Const(12n).op(0x86).get(RIP).i64Add().set(RIP);
  f.end();
  countBudget(f, CPU, REST, 'out');

  const storeRip = () => {
    f.get(RIP).set(next);
    f.get(record).if();
    f.get(RIP).get(record).memory([0x33], RECORD.start).i64Add();
    if (!isWide) f.i64Const(0xffff_ffffn).op(0x83);
    f.set(next);
    f.end();
    f.get(CPU).get(next).i64Store(STATE.rip);
    f.get(CPU).get(REST).i32Store(STATE.budget);
  };
  f.get(handler).i32Eqz().if(VOID, true);
  f.get(CPU).get(CPU).i32Load(STATE.regionExits).i32Const(1).i32Add().tee(count);
  f.i32Store(STATE.regionExits);
  f.get(count)
    .i32Const(SAMPLED_EXITS - 1)
    .i32And()
    .i32Eqz()
    .if(VOID, false);
  storeRip();
  f.i32Const(EXIT.hot).return();
  f.end();
  f.end();
  f.get(REST).get(CPU).i32Load(STATE.attention).i32Or().i32Const(0).op(0x48).if(VOID, false);
  storeRip();
  f.i32Const(EXIT.budget).return();
  f.end();
  f.get(record).if();
  f.get(CPU).get(RIP).i64Store(STATE.ripBase);
  f.get(record).get(REST).get(record).i32Add().get(CPU).get(TLB_BASE);
  f.get(handler).get(record).i32Load(RECORD.handler).get(handler).select();
  f.returnCallIndirect(handlerType);
  f.end();
  emitDispatch(f, handlerType, RIP, REST, CPU, TLB_BASE);
  return f.finish();
}
