import type { CpuState } from '../cpu-state.ts';
import { STATE } from '../state.ts';

/** True while non-maskable interrupts wait for an IRET. */
export function nmiBlocked(state: CpuState): boolean {
  return state.get32(STATE.nmiBlocked) !== 0;
}

export function setNmiBlocked(state: CpuState, blocked: boolean): void {
  state.set32(STATE.nmiBlocked, blocked ? 1 : 0);
}
