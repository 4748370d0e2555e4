import { type CpuState, EFLAGS } from '../cpu-state.ts';
import { CS, STATE } from '../state.ts';
import { CR0, CR4, EFER } from './control-bits.ts';
import { ATTRIBUTE } from './descriptor.ts';

/** Real-address mode: CR0.PE clear. */
export function inRealMode(state: CpuState): boolean {
  return (state.get32(STATE.cr0) & CR0.PE) === 0;
}

/** Virtual-8086 mode: protected mode with EFLAGS.VM. */
export function inVirtual8086(state: CpuState): boolean {
  return !inRealMode(state) && (state.get32(STATE.eflags) & EFLAGS.VM) !== 0;
}

/** Long mode is active: 64-bit or compatibility mode. */
export function inLongMode(state: CpuState): boolean {
  return (state.get32(STATE.efer) & EFER.LMA) !== 0;
}

/** 64-bit mode: long mode with a 64-bit code segment. */
export function in64BitMode(state: CpuState): boolean {
  return inLongMode(state) && (state.segmentAttributes(CS) & ATTRIBUTE.L) !== 0;
}

/** I/O privilege level, 0 to 3. */
export function iopl(state: CpuState): number {
  return (state.get32(STATE.eflags) >>> 12) & 3;
}

/** True when the upper bits of a linear address repeat its sign bit (48 bits, 57 with CR4.LA57). */
export function isCanonical(state: CpuState, address: bigint): boolean {
  const width = (state.get32(STATE.cr4) & CR4.LA57) !== 0 ? 57 : 48;
  return BigInt.asUintN(64, BigInt.asIntN(width, address)) === BigInt.asUintN(64, address);
}
