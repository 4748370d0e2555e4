import type { FieldRef } from '../../ir/mod.ts';
import type { FunctionWriter } from '../../wasm/mod.ts';
import { I32, VOID } from '../../wasm/mod.ts';
import { CS, GP, SEGMENT, STATE } from '../../x86/mod.ts';
import { BodyEmitter, type RuntimeImports } from '../emit/body-emitter.ts';
import { EXIT, RECORD } from '../record.ts';
import { PRIVILEGE } from '../tlb-layout.ts';

/** Parameters of every handler: the record, the budget cursor, the state block, the TLB. */
export const PC = 0;
/** Budget left in bytes of records, plus the address of the record where the present chain was entered. */
export const CURSOR = 1;
export const CPU = 2;
export const TLB_BASE = 3;

/** Functions of the runtime that handlers continue in by tail call. */
export interface RuntimeFunctions extends RuntimeImports {
  /** handler type: (pc, cursor, cpu, tlb) → exit */
  readonly handlerType: number;
  /** (pc, cursor, cpu, tlb, exit) → exit: records where and why, returns */
  readonly leave: number;
  /** (pc, cursor, cpu, tlb, status) → exit: after a helper that redirected, faulted or halted */
  readonly afterHelper: number;
  /** (rip i64, pc, cursor, cpu, tlb) → exit: charges the chain, finds the record of rip, continues there */
  readonly branchTo: number;
  /** the same, and links the branch record when the target lies in the same page */
  readonly branchAndLink: number;
}

const SLOT_OFFSET: Record<string, number> = {
  a: RECORD.a,
  b: RECORD.b,
  c: RECORD.c,
  base: RECORD.base,
  index: RECORD.index,
  segment: RECORD.segment,
};

/** Emits the meaning of one encoding as a handler: operands come from the record at PC. */
export class HandlerEmitter extends BodyEmitter {
  readonly #runtime: RuntimeFunctions;
  readonly #mode: 16 | 32 | 64;

  constructor(f: FunctionWriter, runtime: RuntimeFunctions, mode: 16 | 32 | 64) {
    super(f, runtime);
    this.#runtime = runtime;
    this.#mode = mode;
  }

  /**
   * Raises #GP(0) when the instruction does not lie in the code segment: in front of meanings whose shape
   * is checked. SDM Vol. 3A, 5.3.
   */
  checkFetch(): void {
    const f = this.f;
    this.parameter('nextRip');
    f.i64Const(1n).op(0x7d); // sub
    f.get(CPU).memory([0x35], STATE.segments + CS * SEGMENT.bytes + SEGMENT.limit); // i64.load32_u
    f.op(0x56).if(VOID, false); // gt_u
    this.raise(GP, 0);
    f.end();
  }

  /** Continues with the next record. */
  fallThrough(): void {
    const f = this.f;
    f.get(PC).i32Const(RECORD.bytes).i32Add();
    f.get(CURSOR).get(CPU).get(TLB_BASE);
    f.get(PC).i32Load(RECORD.bytes + RECORD.handler);
    f.returnCallIndirect(this.#runtime.handlerType);
  }

  protected fieldAddress(field: FieldRef): number {
    if (field.kind === 'fixed') {
      this.f.get(CPU);
      return field.offset;
    }
    this.#slotBase(field.slot);
    return field.displacement;
  }

  protected slotOffset(field: FieldRef): void {
    if (field.kind === 'fixed') this.f.i32Const(field.offset);
    else {
      this.f.get(PC).i32Load16u(SLOT_OFFSET[field.slot] as number);
      if (field.displacement !== 0) this.f.i32Const(field.displacement).i32Add();
    }
  }

  #slotBase(slot: string): void {
    this.f
      .get(PC)
      .i32Load16u(SLOT_OFFSET[slot] as number)
      .get(CPU)
      .i32Add();
  }

  protected parameter(which: string): void {
    const f = this.f;
    switch (which) {
      case 'immediate':
        f.get(PC).i64Load(RECORD.immediate);
        return;
      case 'displacement':
        f.get(PC).memory([0x34], RECORD.displacement); // i64.load32_s
        return;
      case 'scale':
        f.get(PC).i32Load8u(RECORD.scale);
        return;
      case 'rip':
        f.get(CPU).i64Load(STATE.ripBase);
        f.get(PC).memory([0x33], RECORD.start).i64Add(); // i64.load16_u
        return;
      case 'nextRip':
        f.get(CPU).i64Load(STATE.ripBase);
        f.get(PC).memory([0x33], RECORD.start).i64Add();
        f.get(PC).memory([0x31], RECORD.length).i64Add(); // i64.load8_u
        return;
      default:
        throw new Error(`Vivarium internal error: parameter ${which}`);
    }
  }

  protected privilegeChanged(): void {
    emitTlbSwitch(this.f, CPU, TLB_BASE);
  }

  protected tlbBase(): void {
    this.f.get(TLB_BASE);
  }

  protected bounceAddress(): void {
    this.f.get(CPU).i32Const(STATE.bounce).i32Add();
  }

  protected leaveFaulted(): void {
    this.f
      .get(PC)
      .get(CURSOR)
      .get(CPU)
      .get(TLB_BASE)
      .i32Const(EXIT.fault)
      .returnCall(this.#runtime.leave);
  }

  protected raise(vector: number, errorCode: number): void {
    const f = this.f;
    f.get(CPU).i32Const(vector).i32Store(STATE.faultVector);
    f.get(CPU).i32Const(errorCode).i32Store(STATE.faultErrorCode);
    this.leaveFaulted();
  }

  protected effectHelper(name: string, isLast: boolean, args: () => void): void {
    const f = this.f;
    const status = f.local(I32);
    f.get(CPU).get(PC).i32Store(STATE.pc);
    args();
    f.callNamed(this.imports.helper(name), name);
    this.leavesWith(status, isLast);
    f.if(VOID, false);
    f.get(PC).get(CURSOR).get(CPU).get(TLB_BASE).get(status).returnCall(this.#runtime.afterHelper);
    f.end();
  }

  /**
   * A linked branch goes straight to its record when the budget lasts:
   *   rest = cursor - (pc + 32);  if (rest | attention) >= 0 continue at link with cursor rest + link
   */
  protected branchRelative(): void {
    const f = this.f;
    const link = f.local(I32);
    const rest = f.local(I32);
    f.get(PC).i32Load(RECORD.link).tee(link).if(VOID, true);
    f.get(CURSOR).get(PC).i32Sub().i32Const(RECORD.bytes).i32Sub().tee(rest);
    f.get(CPU).i32Load(STATE.attention).i32Or().i32Const(0).op(0x4e).if(VOID, true); // ge_s
    f.get(link).get(rest).get(link).i32Add().get(CPU).get(TLB_BASE);
    f.get(link).i32Load(RECORD.handler);
    f.returnCallIndirect(this.#runtime.handlerType);
    f.end();
    f.end();
    this.parameter('nextRip');
    f.get(PC).memory([0x34], RECORD.displacement).i64Add();
    // Outside 64-bit mode the target is cut to the code size; 16-bit operands in 32-bit code cut it further,
    // which the decoder has put into the immediate's upper half as a mask.
    if (this.#mode !== 64)
      f.get(PC)
        .memory([0x35], RECORD.immediate + 4)
        .op(0x83);
    f.get(PC).get(CURSOR).get(CPU).get(TLB_BASE).returnCall(this.#runtime.branchAndLink);
  }

  protected branch(rip: () => void): void {
    rip();
    this.f.get(PC).get(CURSOR).get(CPU).get(TLB_BASE).returnCall(this.#runtime.branchTo);
  }
}

/** Emits the choice of the TLB by CPL and EFLAGS.AC, into the local `tlb` and the state. */
export function emitTlbSwitch(f: FunctionWriter, cpu: number, tlb: number): void {
  f.get(cpu);
  f.get(cpu);
  f.i32Const(PRIVILEGE.user);
  f.get(cpu).i32Load(STATE.eflags).i32Const(18).op(0x76).i32Const(1).i32And(); // AC
  f.i32Const(PRIVILEGE.supervisor).i32Add();
  f.get(cpu).i32Load(STATE.cpl).i32Const(3).op(0x46).select();
  f.i32Const(2).op(0x74).i32Add().i32Load(STATE.tlbs).tee(tlb);
  f.i32Store(STATE.tlb);
}
