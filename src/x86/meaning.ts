import type { Body } from '../ir/mod.ts';
import { bindOperands } from './bind.ts';
import type { Encoding } from './encoding.ts';
import { GP, MF } from './fault.ts';
import { Semantics } from './semantics.ts';
import type { ResolvedOperands, Shape } from './shape.ts';
import { STATE } from './state.ts';

/** Bits of STATE.trapGate: which instruction families trap under the present CR0, CR4 and XCR0. */
export const GATE_FPU = 1;
export const GATE_SSE = 2;
export const GATE_MMX = 4;
export const GATE_AVX = 8;

/** FSW.ES: an unmasked x87 exception is pending. */
const ERROR_SUMMARY = 0x80;

/**
 * The meaning of an encoding under `shape`: checks that its attributes ask for, then its semantics.
 * With `operands` given they are constants, else they are read from the record at run time.
 */
export function buildMeaning(encoding: Encoding, shape: Shape, operands?: ResolvedOperands): Body {
  const b = new Semantics(shape, operands);
  const attributes = encoding.attributes;
  if (attributes.has('cpl0')) b.if(b.readField32(STATE.cpl), () => b.fault(GP, 0));
  let gate = 0;
  if (attributes.has('fpu')) gate |= GATE_FPU;
  if (attributes.has('sse')) gate |= GATE_SSE;
  if (attributes.has('mmx')) gate |= GATE_MMX;
  if (attributes.has('avx')) gate |= GATE_AVX;
  if (gate !== 0) {
    b.if(b.and(b.readField32(STATE.trapGate), b.i32(gate)), () => b.helper('trapGate', b.i32(gate)));
  }
  if (attributes.has('mmx')) {
    // A pending x87 exception meets MMX instructions as it meets the next waiting x87 instruction.
    const status = b.readState({ kind: 'fixed', offset: STATE.fpuStatus }, 'i32.16u');
    b.if(b.and(status, b.i32(ERROR_SUMMARY)), () => b.fault(MF));
  }
  const bound = bindOperands(b, encoding);
  if (attributes.has('aligned') && shape.memory !== undefined) {
    for (const operand of bound) {
      if (operand.kind !== 'memory') continue;
      const mask = operand.width === 256 ? 31 : 15;
      b.if(b.nez(b.and(operand.address(), b.i64(mask))), () => b.fault(GP, 0));
    }
  }
  encoding.instruction.semantics(b, bound);
  return b.finish();
}
