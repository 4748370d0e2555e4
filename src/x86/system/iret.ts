/** IRET in every mode. SDM Vol. 2A "IRET"; APM Vol. 3 "IRET". */
import type { Cpu, Helper } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { GP, GuestFault, SSF } from '../fault.ts';
import { CS, DS, ES, FS, GS, RSP, SS, STATE } from '../state.ts';
import { breakpointsEnabled } from './debug-registers.ts';
import { ATTRIBUTE, dplOf } from './descriptor.ts';
import { virtual8086Sensitive, writableFlags, writeFlagBits } from './flags.ts';
import { in64BitMode, inLongMode, inRealMode, inVirtual8086, isCanonical } from './mode.ts';
import { setNmiBlocked } from './nmi.ts';
import { checkReturnCode, loadReturnCode, loadReturnStack, type ReturnCode } from './return.ts';
import { loadRealSegment, nullSegment } from './segments.ts';
import { Stack, setStackPointer } from './stack.ts';
import { returnToTask } from './task-switch.ts';

const frame = new Uint8Array(40);
const frameView = new DataView(frame.buffer);

function iret(cpu: Cpu, operandSize: number): void {
  const { state } = cpu;
  if (inRealMode(state)) iretReal(cpu, operandSize);
  else if (inVirtual8086(state)) iretVirtual8086(cpu, operandSize);
  else if ((state.get32(STATE.eflags) & EFLAGS.NT) !== 0) {
    if (inLongMode(state)) throw new GuestFault(GP);
    returnToTask(cpu);
  } else if (in64BitMode(state)) iretLong(cpu, operandSize);
  else iretProtected(cpu, operandSize);
  setNmiBlocked(state, false);
}

function iretReal(cpu: Cpu, operandSize: number): void {
  const { state } = cpu;
  const bytes = operandSize / 8;
  const stack = Stack.current(cpu);
  const rip = stack.pop(bytes);
  const selector = Number(stack.pop(bytes) & 0xffffn);
  const flags = Number(stack.pop(bytes));
  if (rip > BigInt(state.segmentLimit(CS))) throw new GuestFault(GP);
  stack.commit(state);
  loadRealSegment(state, CS, selector);
  writeFlagBits(cpu, flags, writableFlags(state) & (operandSize === 16 ? 0xffff : -1));
  cpu.redirect(rip);
}

function iretVirtual8086(cpu: Cpu, operandSize: number): void {
  if (virtual8086Sensitive(cpu.state)) throw new GuestFault(GP);
  iretReal(cpu, operandSize);
}

/** From 64-bit mode: SS and RSP are always popped. */
function iretLong(cpu: Cpu, operandSize: number): void {
  const { state } = cpu;
  const stackPointer = state.gpr(RSP);
  let rip: bigint;
  let selector: number;
  let flags: number;
  let pointer: bigint;
  let stackSelector: number;
  if (operandSize === 64) {
    const last = BigInt.asUintN(64, stackPointer + 39n);
    if (!isCanonical(state, stackPointer) || !isCanonical(state, last)) throw new GuestFault(SSF);
    cpu.readBytes(stackPointer, frame);
    rip = frameView.getBigUint64(0, true);
    selector = frameView.getUint16(8, true);
    flags = frameView.getUint32(16, true);
    pointer = frameView.getBigUint64(24, true);
    stackSelector = frameView.getUint16(32, true);
  } else {
    const bytes = operandSize / 8;
    const stack = Stack.long(cpu, stackPointer);
    rip = stack.pop(bytes);
    selector = Number(stack.pop(bytes) & 0xffffn);
    flags = Number(stack.pop(bytes));
    pointer = stack.pop(bytes);
    stackSelector = Number(stack.pop(bytes) & 0xffffn);
  }
  const code = checkReturnCode(cpu, selector);
  checkTarget(cpu, code, rip);
  const cpl = selector & 3;
  // A fault after this point is in the stack segment: nothing has changed yet.
  loadReturnStack(cpu, stackSelector, cpl, code.is64Bit, () => {
    restoreFlags(cpu, flags, operandSize);
  });
  finishReturn(cpu, code, rip, pointer, cpl);
}

/** Target offsets lie within the segment, or are canonical in 64-bit code. */
function checkTarget(cpu: Cpu, code: ReturnCode, rip: bigint): void {
  const legal = code.is64Bit ? isCanonical(cpu.state, rip) : rip <= BigInt(code.limit);
  if (!legal) throw new GuestFault(GP);
}

/**
 * Flags are judged at the privilege level that executes IRET. RF is kept where there is a breakpoint that it
 * could hold back: it ends with the next instruction.
 */
function restoreFlags(cpu: Cpu, flags: number, operandSize: number): void {
  const { state } = cpu;
  let mask = writableFlags(state);
  if (state.cpl === 0) mask |= EFLAGS.VIF | EFLAGS.VIP;
  if (breakpointsEnabled(state)) {
    mask |= EFLAGS.RF;
    // The next instruction runs by itself.
    state.set32(STATE.attention, 0x8000_0000);
  }
  writeFlagBits(cpu, flags, operandSize === 16 ? mask & 0xffff : mask);
}

function finishReturn(
  cpu: Cpu,
  code: ReturnCode,
  rip: bigint,
  pointer: bigint | undefined,
  cpl: number,
): void {
  const { state } = cpu;
  const outward = cpl > state.cpl;
  loadReturnCode(cpu, code);
  state.cpl = cpl;
  if (pointer !== undefined) {
    setStackPointer(state, pointer);
  }
  if (outward) dropInnerSegments(cpu);
  cpu.modeChanged();
  cpu.redirect(rip);
}

/** After a return outward, data segments that the new level may not use become null. */
export function dropInnerSegments(cpu: Cpu): void {
  const { state } = cpu;
  for (const index of [ES, DS, FS, GS]) {
    const attributes = state.segmentAttributes(index);
    if ((attributes & ATTRIBUTE.PRESENT) === 0 || dplOf(attributes) >= state.cpl) continue;
    const conforming = ATTRIBUTE.CODE | ATTRIBUTE.CONFORMING;
    if ((attributes & conforming) !== conforming) nullSegment(state, index);
  }
}

/** From 32- or 16-bit protected mode, and from compatibility mode. */
function iretProtected(cpu: Cpu, operandSize: number): void {
  const { state } = cpu;
  const bytes = operandSize / 8;
  const stack = Stack.current(cpu);
  const rip = stack.pop(bytes);
  const selector = Number(stack.pop(bytes) & 0xffffn);
  const flags = Number(stack.pop(bytes) & 0xffff_ffffn);
  if ((flags & EFLAGS.VM) !== 0 && state.cpl === 0 && operandSize === 32 && !inLongMode(state)) {
    returnToVirtual8086(cpu, stack, rip, selector, flags);
    return;
  }
  const code = checkReturnCode(cpu, selector);
  checkTarget(cpu, code, rip);
  const cpl = selector & 3;
  if (cpl === state.cpl) {
    stack.commit(state);
    restoreFlags(cpu, flags, operandSize);
    finishReturn(cpu, code, rip, undefined, cpl);
    return;
  }
  const pointer = stack.pop(bytes);
  const stackSelector = Number(stack.pop(bytes) & 0xffffn);
  loadReturnStack(cpu, stackSelector, cpl, code.is64Bit, () => {
    restoreFlags(cpu, flags, operandSize);
  });
  finishReturn(cpu, code, rip, pointer, cpl);
}

function returnToVirtual8086(
  cpu: Cpu,
  stack: Stack,
  rip: bigint,
  selector: number,
  flags: number,
): void {
  const { state } = cpu;
  const pointer = stack.pop(4);
  const selectors = [SS, ES, DS, FS, GS].map((index) => ({
    index,
    selector: Number(stack.pop(4) & 0xffffn),
  }));
  const mask = writableFlags(state) | EFLAGS.VM | EFLAGS.VIF | EFLAGS.VIP;
  writeFlagBits(cpu, flags, mask);
  state.cpl = 3;
  loadRealSegment(state, CS, selector);
  for (const segment of selectors) loadRealSegment(state, segment.index, segment.selector);
  state.setGpr(RSP, pointer);
  cpu.modeChanged();
  cpu.redirect(rip & 0xffffn);
}

export const iretHelpers: Record<string, Helper> = {
  iret: { params: ['i32'], run: iret },
};
