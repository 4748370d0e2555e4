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

/** The instruction families whose gate an encoding must find open: a mask of GATE_ bits. */
export function gatesOf(encoding: Encoding): number {
  const { attributes } = encoding;
  return (
    (attributes.has('fpu') ? GATE_FPU : 0) |
    (attributes.has('sse') ? GATE_SSE : 0) |
    (attributes.has('mmx') ? GATE_MMX : 0) |
    (attributes.has('avx') ? GATE_AVX : 0)
  );
}

/**
 * The meaning of an encoding under `shape`: checks that its attributes ask for, then its semantics.
 * With `operands` given they are constants, else they are read from the record at run time.
 */
export function buildMeaning(encoding: Encoding, shape: Shape, operands?: ResolvedOperands): Body {
  const b = new Semantics(shape, operands);
  const gates = gatesOf(encoding);
  if (gates !== 0) {
    b.if(b.and(b.readField32(STATE.trapGate), b.i32(gates)), () =>
      b.helper('trapGate', b.i32(gates)),
    );
  }
  describe(b, encoding);
  return b.finish();
}

/** Writes the meaning of `encoding` over `b`, all but the test of its gates. */
export function describe(b: Semantics, encoding: Encoding): void {
  const { attributes } = encoding;
  if (attributes.has('cpl0')) b.if(b.readField32(STATE.cpl), () => b.fault(GP, 0));
  if (attributes.has('mmx')) {
    // A pending x87 exception meets MMX instructions as it meets the next waiting x87 instruction.
    const status = b.readState({ kind: 'fixed', offset: STATE.fpuStatus }, 'i32.16u');
    b.if(b.and(status, b.i32(ERROR_SUMMARY)), () => b.fault(MF));
  }
  const bound = bindOperands(b, encoding);
  if (attributes.has('aligned') && b.shape.memory !== undefined) {
    for (const operand of bound) {
      if (operand.kind !== 'memory') continue;
      const mask = operand.width === 256 ? 31 : 15;
      b.if(b.nez(b.and(operand.address(), b.i64(mask))), () => b.fault(GP, 0));
    }
  }
  encoding.instruction.semantics(b, bound);
}
