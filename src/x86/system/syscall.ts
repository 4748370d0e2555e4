/**
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT as AMD processors have them: SYSCALL works in every mode but real,
 * SYSENTER is undefined in long mode. APM Vol. 3 "SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT".
 *
 *   STAR   63..48 SYSRET CS and SS base selector | 47..32 SYSCALL selectors | 31..0 legacy-mode EIP
 */
import type { Cpu, Helper } from '../cpu.ts';
import { type CpuState, EFLAGS } from '../cpu-state.ts';
import { GP, GuestFault, UD } from '../fault.ts';
import { CS, gprOffset, RCX, RDX, RSP, SS, STATE } from '../state.ts';
import { EFER } from './control-bits.ts';
import { FLAT } from './descriptor.ts';
import { readFlags, writeFlags } from './flags.ts';
import { in64BitMode, inLongMode, inRealMode } from './mode.ts';

const R11 = 11;
/** DR6.BS: a single step */
const DR6_BS = 1 << 14;
const DPL3 = 3 << 5;

function flatSegment(state: CpuState, index: number, selector: number, attributes: number): void {
  state.setSegment(index, selector & 0xffff, attributes, 0xffff_ffff, 0n);
}

function requireSyscall(state: CpuState): void {
  if ((state.get32(STATE.efer) & EFER.SCE) === 0 || inRealMode(state)) throw new GuestFault(UD);
}

function syscall(cpu: Cpu): void {
  const { state } = cpu;
  requireSyscall(state);
  const selector = state.get16(STATE.star + 4) & 0xfffc;
  const flags = readFlags(state);
  const next = cpu.nextRip();
  let target: bigint;
  if (inLongMode(state)) {
    target = state.get64(in64BitMode(state) ? STATE.lstar : STATE.cstar);
    state.setGpr(RCX, next);
    state.setGpr32(R11, flags & ~EFLAGS.RF);
    writeFlags(cpu, flags & ~state.get32(STATE.sfmask) & ~EFLAGS.RF);
    flatSegment(state, CS, selector, FLAT.CODE64);
  } else {
    target = BigInt(state.get32(STATE.star));
    state.setGpr(RCX, BigInt.asUintN(32, next));
    writeFlags(cpu, flags & ~(EFLAGS.IF | EFLAGS.VM | EFLAGS.RF));
    flatSegment(state, CS, selector, FLAT.CODE32);
  }
  flatSegment(state, SS, selector + 8, FLAT.DATA);
  state.cpl = 0;
  cpu.modeChanged();
  cpu.redirect(target);
}

/** SYSRET. The stack segment's attributes are set too, as other vendors do and AMD leaves undone. */
function sysret(cpu: Cpu, operandSize: number): void {
  const { state } = cpu;
  requireSyscall(state);
  if (state.cpl !== 0) throw new GuestFault(GP);
  const selector = state.get16(STATE.star + 6) & 0xfffc;
  const long = inLongMode(state);
  let target: bigint;
  if (long && operandSize === 64) {
    target = state.gpr(RCX);
    flatSegment(state, CS, (selector + 16) | 3, FLAT.CODE64 | DPL3);
  } else {
    target = BigInt(state.gpr32(RCX));
    flatSegment(state, CS, selector | 3, FLAT.CODE32 | DPL3);
  }
  flatSegment(state, SS, (selector + 8) | 3, FLAT.DATA | DPL3);
  state.cpl = 3;
  if (long) writeFlags(cpu, state.get32(gprOffset(R11)) & ~(EFLAGS.RF | EFLAGS.VM));
  else writeFlags(cpu, readFlags(state) | EFLAGS.IF);
  // Unlike IRET, SYSRET that sets TF traps at once: user code is stepped over its SYSCALL.
  if ((state.get32(STATE.eflags) & EFLAGS.TF) !== 0)
    state.set32(STATE.pendingDebug, state.get32(STATE.pendingDebug) | DR6_BS);
  cpu.modeChanged();
  cpu.redirect(target);
}

function requireSysenter(state: CpuState): void {
  if (inLongMode(state)) throw new GuestFault(UD);
  const selector = state.get16(STATE.sysenterCs) & 0xfffc;
  if (inRealMode(state) || selector === 0) throw new GuestFault(GP);
}

function sysenter(cpu: Cpu): void {
  const { state } = cpu;
  requireSysenter(state);
  const selector = state.get16(STATE.sysenterCs) & 0xfffc;
  writeFlags(cpu, readFlags(state) & ~(EFLAGS.VM | EFLAGS.IF | EFLAGS.RF));
  flatSegment(state, CS, selector, FLAT.CODE32);
  flatSegment(state, SS, selector + 8, FLAT.DATA);
  state.cpl = 0;
  state.setGpr32(RSP, state.get32(STATE.sysenterEsp));
  cpu.modeChanged();
  cpu.redirect(BigInt(state.get32(STATE.sysenterEip)));
}

function sysexit(cpu: Cpu): void {
  const { state } = cpu;
  requireSysenter(state);
  if (state.cpl !== 0) throw new GuestFault(GP);
  const selector = state.get16(STATE.sysenterCs) & 0xfffc;
  const target = BigInt(state.gpr32(RDX));
  flatSegment(state, CS, (selector + 16) | 3, FLAT.CODE32 | DPL3);
  flatSegment(state, SS, (selector + 24) | 3, FLAT.DATA | DPL3);
  state.setGpr32(RSP, state.gpr32(RCX));
  state.cpl = 3;
  cpu.modeChanged();
  cpu.redirect(target);
}

export const syscallHelpers: Record<string, Helper> = {
  syscall: { params: [], run: syscall },
  sysret: { params: ['i32'], run: sysret },
  sysenter: { params: [], run: sysenter },
  sysexit: { params: [], run: sysexit },
};
