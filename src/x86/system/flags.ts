/** EFLAGS as a whole: reading, and the writes of POPF and IRET with their privileges. SDM Vol. 1, 3.4.3. */
import type { Cpu, Helper } from '../cpu.ts';
import { type CpuState, EFLAGS } from '../cpu-state.ts';
import { GP, GuestFault } from '../fault.ts';
import { STATE } from '../state.ts';
import { CR0, CR4 } from './control-bits.ts';
import { inVirtual8086, iopl } from './mode.ts';
import { Stack } from './stack.ts';

const ARITHMETIC = EFLAGS.CF | EFLAGS.PF | EFLAGS.AF | EFLAGS.ZF | EFLAGS.SF | EFLAGS.OF;

/** Every flag software can hold in EFLAGS; the rest are constant. */
const IMPLEMENTED =
  ARITHMETIC |
  EFLAGS.TF |
  EFLAGS.IF |
  EFLAGS.DF |
  EFLAGS.IOPL |
  EFLAGS.NT |
  EFLAGS.RF |
  EFLAGS.VM |
  EFLAGS.AC |
  EFLAGS.VIF |
  EFLAGS.VIP |
  EFLAGS.ID;

/** Value of STATE.attention that makes the engine leave at the next taken branch. */
const ATTENTION = 0x8000_0000;

/** The whole EFLAGS register. The same as `CpuState.getFlags`, without 64-bit arithmetic. */
export function readFlags(state: CpuState): number {
  const words = state.i32;
  let flags = words[STATE.eflags >> 2] as number;
  flags &= ~ARITHMETIC;
  if (words[STATE.flagC >> 2] !== 0) flags |= EFLAGS.CF;
  let parity = state.u8[STATE.flagS] as number;
  parity ^= parity >> 4;
  if (((0x9669 >> (parity & 15)) & 1) !== 0) flags |= EFLAGS.PF;
  flags |= (words[STATE.flagA >> 2] as number) & EFLAGS.AF;
  if (words[STATE.flagZ >> 2] === 0 && words[(STATE.flagZ >> 2) + 1] === 0) flags |= EFLAGS.ZF;
  if ((words[(STATE.flagS >> 2) + 1] as number) < 0) flags |= EFLAGS.SF;
  if ((words[(STATE.flagO >> 2) + 1] as number) < 0) flags |= EFLAGS.OF;
  return (flags | 2) >>> 0;
}

/** Sets the whole register without any check. The same as `CpuState.setFlags`. */
function storeFlags(state: CpuState, flags: number): void {
  const words = state.i32;
  words[STATE.eflags >> 2] = (flags & ~ARITHMETIC) | 2;
  words[STATE.flagC >> 2] = flags & EFLAGS.CF;
  words[STATE.flagA >> 2] = flags & EFLAGS.AF;
  words[(STATE.flagA >> 2) + 1] = 0;
  words[STATE.flagZ >> 2] = (flags & EFLAGS.ZF) === 0 ? 1 : 0;
  words[(STATE.flagZ >> 2) + 1] = 0;
  // PF is even parity of the low byte: 0 has it, 1 has not.
  words[STATE.flagS >> 2] = (flags & EFLAGS.PF) === 0 ? 1 : 0;
  words[(STATE.flagS >> 2) + 1] = (flags & EFLAGS.SF) === 0 ? 0 : 0x8000_0000;
  words[STATE.flagO >> 2] = 0;
  words[(STATE.flagO >> 2) + 1] = (flags & EFLAGS.OF) === 0 ? 0 : 0x8000_0000;
}

/**
 * Sets EFLAGS and tells the engine what depends on it: interrupts that may now be taken,
 * single-stepping, the SMAP override and alignment checks. True when the engine has to be redirected for it.
 */
export function writeFlags(cpu: Cpu, flags: number): boolean {
  const { state } = cpu;
  const before = state.get32(STATE.eflags);
  storeFlags(state, flags & IMPLEMENTED);
  const changed = before ^ flags;
  if ((changed & flags & EFLAGS.IF) !== 0)
    state.set32(
      STATE.attention,
      state.get32(STATE.attention) | state.get32(STATE.interruptPending),
    );
  const override =
    (changed & EFLAGS.AC) !== 0 &&
    ((state.get32(STATE.cr4) & CR4.SMAP) !== 0 || (state.get32(STATE.cr0) & CR0.AM) !== 0);
  if ((changed & (EFLAGS.TF | EFLAGS.VM)) === 0 && !override) return false;
  if ((flags & EFLAGS.TF) !== 0) state.set32(STATE.attention, ATTENTION);
  cpu.modeChanged();
  return true;
}

/** Replaces the bits of `mask` by those of `value`. */
export function writeFlagBits(cpu: Cpu, value: number, mask: number): boolean {
  return writeFlags(cpu, (readFlags(cpu.state) & ~mask) | (value & mask));
}

/** Flags that POPF and IRET may change at the current privilege level. */
export function writableFlags(state: CpuState): number {
  let mask = ARITHMETIC | EFLAGS.TF | EFLAGS.DF | EFLAGS.NT | EFLAGS.AC | EFLAGS.ID;
  if (state.cpl === 0) mask |= EFLAGS.IOPL;
  if (state.cpl <= iopl(state)) mask |= EFLAGS.IF;
  return mask;
}

/** POPF without the stack: sets what the privilege level may change; VM, VIF and VIP stay. */
function applyPopf(cpu: Cpu, value: number, operandSize: number): boolean {
  const { state } = cpu;
  const mask = writableFlags(state) & (operandSize === 16 ? 0xffff : -1);
  const redirect = writeFlagBits(cpu, value, mask);
  state.set32(STATE.eflags, state.get32(STATE.eflags) & ~EFLAGS.RF);
  return redirect;
}

/** POPF: `value` is the top of the stack; the stack pointer moves when the flags have been set. */
function popFlags(cpu: Cpu, value: number, operandSize: number): void {
  if (virtual8086Sensitive(cpu.state)) throw new GuestFault(GP);
  if ((value & EFLAGS.IF) === 0 && letsInterruptIn(cpu)) return;
  const stack = Stack.current(cpu);
  const redirect = applyPopf(cpu, value, operandSize);
  stack.skip(operandSize / 8);
  stack.commit(cpu.state);
  // Under TF the next instruction is single-stepped already: leave compiled code before it.
  const stepped = (cpu.state.get32(STATE.eflags) & EFLAGS.TF) !== 0;
  // An interrupt that IF now lets in comes before the next instruction.
  const interrupted = (value & EFLAGS.IF) !== 0 && cpu.state.i32[STATE.attention >> 2] !== 0;
  if (redirect || stepped || interrupted) cpu.redirect(cpu.nextRip());
}

/**
 * True, with the engine sent back to this instruction, when a deliverable interrupt has to come before it:
 * see `closesWindow` in instructions/interrupt-window.ts.
 */
function letsInterruptIn(cpu: Cpu): boolean {
  const { state } = cpu;
  const rip = cpu.currentRip();
  const inShadow = state.get32(STATE.interruptShadow) === Number(rip & 0xffff_ffffn);
  const open = (state.get32(STATE.eflags) & EFLAGS.IF) !== 0;
  if (!open || inShadow || state.cpl > iopl(state) || !cpu.interrupts.hasInterrupt()) return false;
  state.set32(STATE.attention, ATTENTION);
  cpu.redirect(rip);
  return true;
}

/** CLI where an interrupt may wait. */
function closeWindow(cpu: Cpu): void {
  const { state } = cpu;
  if (!letsInterruptIn(cpu)) state.set32(STATE.eflags, state.get32(STATE.eflags) & ~EFLAGS.IF);
}

/** PUSHF where virtual-8086 mode may forbid it. */
function pushFlags(cpu: Cpu, operandSize: number): void {
  if (virtual8086Sensitive(cpu.state)) throw new GuestFault(GP);
  const stack = Stack.current(cpu);
  stack.push(operandSize / 8, readFlags(cpu.state) & ~(EFLAGS.VM | EFLAGS.RF));
  stack.commit(cpu.state);
}

/** True when the IOPL forbids PUSHF, POPF, INT n and IRET in virtual-8086 mode. */
export function virtual8086Sensitive(state: CpuState): boolean {
  return inVirtual8086(state) && iopl(state) < 3;
}

export const flagHelpers: Record<string, Helper> = {
  closeWindow: { params: [], run: closeWindow },
  popFlags: { params: ['i32', 'i32', 'i32'], run: popFlags },
  pushFlags: { params: ['i32', 'i32'], run: pushFlags },
};
