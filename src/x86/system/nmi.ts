import type { CpuState } from '../cpu-state.ts';

/**
 * State offset of the NMI block, i32: 1 from the delivery of a non-maskable interrupt to the next IRET.
 * It lies in the gap behind `STATE.idtrLimit`.
 */
export const NMI_BLOCKED = 540;

/** True while non-maskable interrupts wait for an IRET. */
export function nmiBlocked(state: CpuState): boolean {
  return state.get32(NMI_BLOCKED) !== 0;
}

export function setNmiBlocked(state: CpuState, blocked: boolean): void {
  state.set32(NMI_BLOCKED, blocked ? 1 : 0);
}
