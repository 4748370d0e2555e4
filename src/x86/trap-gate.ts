import type { Helper } from './cpu.ts';
import type { CpuState } from './cpu-state.ts';
import { GuestFault, NM, UD } from './fault.ts';
import { GATE_AVX, GATE_FPU, GATE_MMX, GATE_SSE } from './meaning.ts';
import { STATE } from './state.ts';
import { CR0, CR4 } from './system/control-bits.ts';

const XCR0_SSE_AVX = 6;

/**
 * Whether #UD or #NM meets an instruction family under CR0, CR4 and XCR0, or neither.
 * SDM Vol. 3A, tables 2-3 (x87, MMX), 13-1 (SSE), 13-2 (AVX).
 */
function trapOf(state: CpuState, family: number): number | undefined {
  const cr0 = state.get32(STATE.cr0);
  const cr4 = state.get32(STATE.cr4);
  const emulate = (cr0 & CR0.EM) !== 0;
  const switched = (cr0 & CR0.TS) !== 0;
  switch (family) {
    case GATE_FPU:
      return emulate || switched ? NM : undefined;
    case GATE_MMX:
      return emulate ? UD : switched ? NM : undefined;
    case GATE_SSE:
      return emulate || (cr4 & CR4.OSFXSR) === 0 ? UD : switched ? NM : undefined;
    default: {
      const enabled =
        (cr4 & CR4.OSXSAVE) !== 0 && (state.get32(STATE.xcr0) & XCR0_SSE_AVX) === XCR0_SSE_AVX;
      return !enabled ? UD : switched ? NM : undefined;
    }
  }
}

const FAMILIES = [GATE_FPU, GATE_SSE, GATE_MMX, GATE_AVX];

/** Recomputes STATE.trapGate. Call after any change of CR0, CR4 or XCR0. */
export function updateTrapGate(state: CpuState): void {
  let gate = 0;
  for (const family of FAMILIES) if (trapOf(state, family) !== undefined) gate |= family;
  state.set32(STATE.trapGate, gate);
}

export const trapGateHelpers: Record<string, Helper> = {
  /** (families i32): raises what the gate stands for. */
  trapGate: {
    params: ['i32'],
    run(cpu, families: number) {
      for (const family of FAMILIES) {
        const vector = (families & family) === 0 ? undefined : trapOf(cpu.state, family);
        if (vector !== undefined) throw new GuestFault(vector);
      }
    },
  },
};
