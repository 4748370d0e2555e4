/** RDPKRU and WRPKRU: rights of protection keys. SDM Vol. 2B "RDPKRU", Vol. 2D "WRPKRU"; Vol. 3A, 4.6.2. */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { GP, GuestFault, UD } from '../fault.ts';
import { RAX, RCX, RDX, STATE } from '../state.ts';
import { CR4 } from './control-bits.ts';

/** #UD unless CR4.PKE; ECX must be 0. */
function check(state: CpuState): void {
  if ((state.get32(STATE.cr4) & CR4.PKE) === 0) throw new GuestFault(UD);
  if (state.gpr32(RCX) !== 0) throw new GuestFault(GP);
}

function rdpkru({ state }: Cpu): void {
  check(state);
  state.setGpr32(RAX, state.get32(STATE.pkru));
  state.setGpr32(RDX, 0);
}

/** Cached translations carry the rights of their keys: they go. */
function wrpkru(cpu: Cpu): void {
  const { state } = cpu;
  check(state);
  if (state.gpr32(RDX) !== 0) throw new GuestFault(GP);
  const rights = state.gpr32(RAX);
  if (rights === state.get32(STATE.pkru)) return;
  state.set32(STATE.pkru, rights);
  cpu.flushTlb('all');
}

export const protectionKeyHelpers: Record<string, Helper> = {
  rdpkru: { params: [], run: rdpkru },
  wrpkru: { params: [], run: wrpkru },
};
