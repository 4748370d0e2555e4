/** MOV to and from debug registers. SDM Vol. 3B, 18.2. */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { DB, GP, GuestFault, UD } from '../fault.ts';
import { STATE } from '../state.ts';
import { CR4 } from './control-bits.ts';
import { in64BitMode } from './mode.ts';

const DR6_FIXED = 0xffff_0ff0;
const DR6_WRITABLE = 0x0000_e00f;
/** BD: a debug register was accessed while DR7.GD was set. */
const DR6_BD = 1 << 13;
const DR7_FIXED = 0x0000_0400;
const DR7_WRITABLE = 0xffff_2bff;
const DR7_GD = 1 << 13;

/** True when some breakpoint is enabled: bits L0 to G3 of DR7. */
export function breakpointsEnabled(state: CpuState): boolean {
  return (state.get32(offsetOf(7)) & 0xff) !== 0;
}

function offsetOf(index: number): number {
  return STATE.dr + index * 8;
}

/** The register that `number` names: DR4 and DR5 are DR6 and DR7 unless CR4.DE says they are not there. */
function registerIndex(state: CpuState, number: number): number {
  if (number > 7) throw new GuestFault(UD);
  if (number !== 4 && number !== 5) return number;
  if ((state.get32(STATE.cr4) & CR4.DE) !== 0) throw new GuestFault(UD);
  return number + 2;
}

function checkGeneralDetect(state: CpuState): void {
  if ((state.get32(offsetOf(7)) & DR7_GD) === 0) return;
  state.set32(offsetOf(6), state.get32(offsetOf(6)) | DR6_BD);
  state.set32(offsetOf(7), state.get32(offsetOf(7)) & ~DR7_GD);
  throw new GuestFault(DB);
}

function moveToDebug(cpu: Cpu, number: number, rawValue: bigint): void {
  const { state } = cpu;
  const index = registerIndex(state, number);
  checkGeneralDetect(state);
  const value = BigInt.asUintN(in64BitMode(state) ? 64 : 32, rawValue);
  if (index < 4) {
    state.set64(offsetOf(index), value);
  } else {
    if (value >> 32n !== 0n) throw new GuestFault(GP);
    const bits = Number(value);
    const kept =
      index === 6 ? (bits & DR6_WRITABLE) | DR6_FIXED : (bits & DR7_WRITABLE) | DR7_FIXED;
    state.set64(offsetOf(index), BigInt(kept >>> 0));
  }
  cpu.modeChanged();
  // Breakpoints hold from the next instruction on.
  cpu.redirect(cpu.nextRip());
}

function moveFromDebug(cpu: Cpu, number: number, register: number): void {
  const { state } = cpu;
  const index = registerIndex(state, number);
  checkGeneralDetect(state);
  const value = state.get64(offsetOf(index));
  state.set64(register, in64BitMode(state) ? value : value & 0xffff_ffffn);
}

export const debugHelpers: Record<string, Helper> = {
  moveToDebug: { params: ['i32', 'i64'], run: moveToDebug },
  moveFromDebug: { params: ['i32', 'i32'], run: moveFromDebug },
};
