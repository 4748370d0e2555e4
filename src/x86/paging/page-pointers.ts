/** PAE: the registers that hold the four page-directory pointers. SDM Vol. 3A, 4.4.1 "PDPTE Registers". */
import type { Cpu } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { GP, GuestFault } from '../fault.ts';
import { STATE } from '../state.ts';
import { CR0, CR4, EFER, PHYSICAL_ADDRESS_BITS } from '../system/control-bits.ts';

const PRESENT = 1;
/** Bits 1, 2 and 5 to 8. */
const RESERVED_LOW = 0x1e6;
/** From the physical width up. */
const RESERVED_HIGH = ~(2 ** (PHYSICAL_ADDRESS_BITS - 32) - 1);

/** True when these values of CR0, CR4 and EFER mean PAE paging. */
export function isPae(cr0: number, cr4: number, efer: number): boolean {
  return (cr0 & CR0.PG) !== 0 && (cr4 & CR4.PAE) !== 0 && (efer & EFER.LMA) === 0;
}

/**
 * Loads the pointers that CR3 = `cr3` names. #GP(0), with nothing loaded, when one that is present has
 * reserved bits set.
 */
export function loadPagePointers(cpu: Cpu, cr3: number): void {
  const { state } = cpu;
  const table = (cr3 & ~0x1f) >>> 0;
  const halves = Array.from({ length: 8 }, (_, half) => cpu.readPhysical32(table + 4 * half));
  for (let pointer = 0; pointer < 4; pointer++) {
    const low = halves[2 * pointer] as number;
    const high = halves[2 * pointer + 1] as number;
    if ((low & PRESENT) === 0) continue;
    if ((low & RESERVED_LOW) !== 0 || (high & RESERVED_HIGH) !== 0) throw new GuestFault(GP);
  }
  halves.forEach((value, half) => {
    state.set32(STATE.pagePointers + 4 * half, value);
  });
}

/** Loads the pointers for the present CR3 when `state` uses PAE paging. */
export function reloadPagePointers(cpu: Cpu, state: CpuState = cpu.state): void {
  const pae = isPae(state.get32(STATE.cr0), state.get32(STATE.cr4), state.get32(STATE.efer));
  if (pae) loadPagePointers(cpu, state.get32(STATE.cr3));
}
