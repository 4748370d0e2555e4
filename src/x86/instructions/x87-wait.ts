import type { Value } from '../../ir/mod.ts';
import { MF } from '../fault.ts';
import { FPU_ES, FPU_TOP_SHIFT } from '../fpu/words.ts';
import type { Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';

/** CR0.NE: x87 errors are #MF. Without it the processor signals the outside; that is left out. */
const CR0_NE = 1 << 5;

/** 16-bit state field, zero-extended to i32. */
export function readField16(b: Semantics, offset: number): Value {
  return b.readState({ kind: 'fixed', offset }, 'i32.16u');
}

export function writeField16(b: Semantics, offset: number, value: Value): void {
  b.writeState({ kind: 'fixed', offset }, 'i32.16u', value);
}

/** First step of a waiting instruction: #MF when an unmasked exception is pending. */
export function checkPending(b: Semantics): void {
  const pending = b.and(readField16(b, STATE.fpuStatus), b.i32(FPU_ES));
  const reported = b.and(b.readField32(STATE.cr0), b.i32(CR0_NE));
  // ES is bit 7 and NE bit 5: shifted onto each other their AND is the condition.
  b.if(b.and(b.shrU(pending, b.i32(2)), reported), () => b.fault(MF));
}

/** The status word with the stack top in place, i64. */
export function statusValue(b: Semantics): Value {
  const top = b.shl(b.readField32(STATE.fpuTop), b.i32(FPU_TOP_SHIFT));
  return b.widen(b.or(readField16(b, STATE.fpuStatus), top));
}
