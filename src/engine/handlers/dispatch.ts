/** Going on at an RIP: where its record is, by what was found there last or through the execute TLB. */
import { type FunctionWriter, I32, I64, VOID } from '../../wasm/mod.ts';
import { CS, SEGMENT, STATE } from '../../x86/mod.ts';
import { EXIT, RECORD } from '../record.ts';
import { TARGET, TARGETS, TLB } from '../tlb-layout.ts';

/**
 * Emits the continuation at `rip` (a local) with `rest` of the budget: the end of a function. A target that is known
 * takes one line of the host's cache; to find it takes three, strewn over as much memory as there is code.
 */
export function emitDispatch(
  f: FunctionWriter,
  handlerType: number,
  rip: number,
  rest: number,
  cpu: number,
  tlb: number,
): void {
  const target = f.local(I32);
  const word = f.local(I32);
  const record = f.local(I32);
  f.get(rip).wrap().get(rip).wrap().i32Const(TARGETS.fold).op(0x76).op(0x73); // shr_u, xor
  f.i32Const(TARGETS.entries - 1).i32And();
  f.i32Const(4).op(0x74).get(tlb).i32Add().tee(target);
  f.i64Load(TARGETS.at + TARGET.rip)
    .get(rip)
    .op(0x51); // eq
  f.get(target)
    .i32Load(TARGETS.at + TARGET.handler)
    .tee(word);
  f.i32Const(TARGET.generationShift).op(0x76);
  pushGeneration(f, rip, tlb);
  f.op(0x46);
  f.i32And().if(VOID, true);
  f.get(cpu).get(rip).i64Const(-4096n).op(0x83).i64Store(STATE.ripBase);
  f.get(target)
    .i32Load(TARGETS.at + TARGET.record)
    .tee(record);
  f.get(rest).get(record).i32Add().get(cpu).get(tlb);
  f.get(word).i32Const(TARGET.handlerMask).i32And().returnCallIndirect(handlerType);
  f.end();
  emitSearch(f, handlerType, { rip, rest, cpu, tlb, target, word, record });
}

/** Sets the local `linear` to the linear address of `rip`. */
export function emitLinear(f: FunctionWriter, rip: number, cpu: number, linear: number): void {
  f.get(rip)
    .get(cpu)
    .i64Load(STATE.segments + CS * SEGMENT.bytes + SEGMENT.base)
    .i64Add()
    .set(linear);
}

/** Pushes the place of the execute TLB's entry for the local `linear`, less TLB.execute. */
export function pushExecuteEntry(f: FunctionWriter, linear: number, tlb: number): void {
  f.get(linear)
    .wrap()
    .i32Const(12)
    .op(0x76) // shr_u
    .i32Const(TLB.executeEntries - 1)
    .i32And();
  f.i32Const(4).op(0x74).get(tlb).i32Add();
}

/** Pushes the number under which targets near `rip` must have been noted. */
function pushGeneration(f: FunctionWriter, rip: number, tlb: number): void {
  pushHalf(f, rip, 4);
  f.get(tlb).i32Add().i32Load(TLB.generation);
}

/** Pushes 0 when `rip`, a local, lies in the lower half of the address space, else `step`, a power of two. */
export function pushHalf(f: FunctionWriter, rip: number, step: number): void {
  f.get(rip)
    .i64Const(BigInt(63 - Math.log2(step)))
    .op(0x88) // shr_u
    .wrap()
    .i32Const(step)
    .i32And();
}

interface Locals {
  readonly rip: number;
  readonly rest: number;
  readonly cpu: number;
  readonly tlb: number;
  readonly target: number;
  readonly word: number;
  readonly record: number;
}

/** Through the execute TLB and the map of its page; notes what is found. Leaves with EXIT.lookup when there is nothing. */
function emitSearch(
  f: FunctionWriter,
  handlerType: number,
  { rip, rest, cpu, tlb, target, word, record }: Locals,
): void {
  const linear = f.local(I64);
  const entry = f.local(I32);
  emitLinear(f, rip, cpu, linear);
  pushExecuteEntry(f, linear, tlb);
  f.tee(entry);
  f.i64Load(TLB.execute).get(linear).op(0x85).i64Const(4096n).op(0x54).if(VOID, true); // (tag ^ linear) < 4096
  f.get(entry).i32Load(TLB.execute + TLB.executeMap);
  f.get(linear)
    .wrap()
    .i32Const(4095)
    .i32And()
    .i32Const(2)
    .op(0x74)
    .i32Add()
    .i32Load(0)
    .tee(record)
    .if(VOID, true);
  f.get(cpu).get(rip).get(linear).i64Const(4095n).op(0x83).op(0x7d).i64Store(STATE.ripBase);
  f.get(record).i32Load(RECORD.handler).set(word);
  f.get(target)
    .get(rip)
    .i64Store(TARGETS.at + TARGET.rip);
  f.get(target)
    .get(record)
    .i32Store(TARGETS.at + TARGET.record);
  f.get(target);
  pushGeneration(f, rip, tlb);
  f.i32Const(TARGET.generationShift).op(0x74).get(word).i32Or();
  f.i32Store(TARGETS.at + TARGET.handler);
  f.get(record).get(rest).get(record).i32Add().get(cpu).get(tlb);
  f.get(word).returnCallIndirect(handlerType);
  f.end();
  f.end();
  f.get(cpu).get(rip).i64Store(STATE.rip);
  f.get(cpu).get(rest).i32Store(STATE.budget);
  f.i32Const(EXIT.lookup);
}
