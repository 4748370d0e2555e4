import type { CpuState } from '../x86/cpu-state.ts';
import { CS, DS, ES, FS, GS, RAX, RBX, RSI, SS, STATE, TR } from '../x86/state.ts';
import { initialState } from '../x86/system/mod.ts';
import type { BootSegment, BootState } from './boot/mod.ts';

/** MTRRs on, everything write-back: what firmware leaves behind. */
const MTRR_ENABLED_WRITE_BACK = 0x806n;

/** Puts the vCPU into the state a boot protocol asks for at the kernel's first instruction. */
export function enterBootState(state: CpuState, boot: BootState): void {
  initialState(state);
  state.set64(STATE.mtrrDefType, MTRR_ENABLED_WRITE_BACK);
  state.set64(STATE.cr0, BigInt(boot.cr0 >>> 0));
  state.set64(STATE.cr3, BigInt(boot.cr3));
  state.set64(STATE.cr4, BigInt(boot.cr4 >>> 0));
  state.set64(STATE.efer, BigInt(boot.efer >>> 0));
  for (let index = 0; index < 16; index++) state.setGpr(index, 0n);
  state.setGpr(RAX, BigInt(boot.registers.rax ?? 0));
  state.setGpr(RBX, BigInt(boot.registers.rbx ?? 0));
  state.setGpr(RSI, BigInt(boot.registers.rsi ?? 0));
  state.setFlags(boot.rflags);
  const load = (index: number, { selector, attributes, limit, base }: BootSegment): void =>
    state.setSegment(index, selector, attributes, limit, BigInt(base));
  load(CS, boot.code);
  for (const index of [ES, SS, DS, FS, GS]) load(index, boot.data);
  load(TR, boot.task);
  state.set64(STATE.gdtrBase, BigInt(boot.gdt.base));
  state.set32(STATE.gdtrLimit, boot.gdt.limit);
  state.cpl = 0;
  state.set64(STATE.rip, BigInt(boot.entry));
}
