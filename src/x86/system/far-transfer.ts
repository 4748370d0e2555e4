/** Far JMP, CALL and RET, with call gates. SDM Vol. 2A "CALL", "JMP"; Vol. 2B "RET"; Vol. 3A, 5.8. */
import type { Cpu, Helper } from '../cpu.ts';
import { GP, GuestFault, NP, SSF, TS } from '../fault.ts';
import { CS, RSP, SS } from '../state.ts';
import {
  ATTRIBUTE,
  attributesOf,
  type Descriptor,
  dplOf,
  findDescriptor,
  limitOf,
  markAccessed,
  readDescriptor,
  SYSTEM,
  selectorFault,
  systemType,
} from './descriptor.ts';
import { dropInnerSegments } from './iret.ts';
import { inLongMode, inRealMode, inVirtual8086, isCanonical } from './mode.ts';
import { checkReturnCode, loadReturnCode, loadReturnStack } from './return.ts';
import {
  cacheSegment,
  checkStackSegment,
  isNullSelector,
  loadRealSegment,
  nullSegment,
} from './segments.ts';
import { Stack, setStackPointer } from './stack.ts';
import { switchToTask } from './task-switch.ts';
import { legacyStack, longModeStack } from './tss.ts';

type Transfer = 'jump' | 'call';

function is64BitCode(cpu: Cpu, attributes: number): boolean {
  return inLongMode(cpu.state) && (attributes & ATTRIBUTE.L) !== 0;
}

function checkOffset(cpu: Cpu, code: Descriptor, offset: bigint): void {
  const wide = is64BitCode(cpu, attributesOf(code));
  const legal = wide ? isCanonical(cpu.state, offset) : offset <= BigInt(limitOf(code));
  if (!legal) throw new GuestFault(GP);
}

/** A code segment reached without a gate keeps the privilege level. */
function checkDirectCode(cpu: Cpu, selector: number, attributes: number): void {
  const { cpl } = cpu.state;
  const dpl = dplOf(attributes);
  const conforming = (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const legal = conforming ? dpl <= cpl : dpl === cpl && (selector & 3) <= cpl;
  const mixed = is64BitCode(cpu, attributes) && (attributes & ATTRIBUTE.DB) !== 0;
  if (!legal || mixed) throw selectorFault(GP, selector);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector);
}

function enterCode(cpu: Cpu, selector: number, code: Descriptor, cpl: number, rip: bigint): void {
  const { state } = cpu;
  cacheSegment(state, CS, (selector & 0xfffc) | cpl, markAccessed(cpu, code), code);
  state.cpl = cpl;
  cpu.modeChanged();
  cpu.redirect(rip);
}

function farReal(
  cpu: Cpu,
  selector: number,
  offset: bigint,
  operandSize: number,
  kind: Transfer,
): void {
  const { state } = cpu;
  if (offset > BigInt(state.segmentLimit(CS))) throw new GuestFault(GP);
  if (kind === 'call') {
    const stack = Stack.current(cpu);
    stack.push(operandSize / 8, state.selector(CS));
    stack.push(operandSize / 8, cpu.nextRip());
    stack.commit(state);
  }
  loadRealSegment(state, CS, selector);
  cpu.redirect(offset);
}

function far(
  cpu: Cpu,
  selectorWord: number,
  rawOffset: bigint,
  operandSize: number,
  kind: Transfer,
): void {
  const { state } = cpu;
  const selector = selectorWord & 0xffff;
  const offset = BigInt.asUintN(operandSize, rawOffset);
  if (inRealMode(state) || inVirtual8086(state)) {
    farReal(cpu, selector, offset, operandSize, kind);
    return;
  }
  if (isNullSelector(selector)) throw new GuestFault(GP);
  const target = readDescriptor(cpu, selector);
  const attributes = attributesOf(target);
  const type = systemType(attributes);
  if ((attributes & ATTRIBUTE.ORDINARY) !== 0) {
    if ((attributes & ATTRIBUTE.CODE) === 0) throw selectorFault(GP, selector);
    checkDirectCode(cpu, selector, attributes);
    checkOffset(cpu, target, offset);
    if (kind === 'call') {
      const stack = Stack.current(cpu);
      stack.push(operandSize / 8, state.selector(CS));
      stack.push(operandSize / 8, cpu.nextRip());
      stack.commit(state);
    }
    enterCode(cpu, selector, target, state.cpl, offset);
    return;
  }
  const dpl = dplOf(attributes);
  if (dpl < state.cpl || dpl < (selector & 3)) throw selectorFault(GP, selector);
  const long = inLongMode(state);
  if (type === SYSTEM.CALL_GATE32 || (type === SYSTEM.CALL_GATE16 && !long)) {
    if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector);
    throughGate(cpu, selector, target, kind);
  } else if (!long && (type === SYSTEM.TSS32 || type === SYSTEM.TSS16)) {
    switchToTask(cpu, selector, kind);
  } else if (!long && type === SYSTEM.TASK_GATE) {
    if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector);
    switchToTask(cpu, target.low >>> 16, kind);
  } else {
    throw selectorFault(GP, selector);
  }
}

/** Through a call gate: 16 bytes and 64-bit code in long mode, else 8 bytes. */
function throughGate(cpu: Cpu, gateSelector: number, gate: Descriptor, kind: Transfer): void {
  const { state } = cpu;
  const long = inLongMode(state);
  const selector = gate.low >>> 16;
  let offset = BigInt(((gate.high & 0xffff_0000) | (gate.low & 0xffff)) >>> 0);
  const wide = systemType(attributesOf(gate)) === SYSTEM.CALL_GATE32;
  if (!wide) offset &= 0xffffn;
  if (long) {
    if (findDescriptor(cpu, gateSelector, 16) === undefined) throw selectorFault(GP, gateSelector);
    const upper = cpu.readLinear(gate.address + 8n, 8, 'supervisor');
    if (((upper >> 40n) & 0x1fn) !== 0n) throw selectorFault(GP, gateSelector);
    offset |= (upper & 0xffff_ffffn) << 32n;
  }
  if (isNullSelector(selector)) throw new GuestFault(GP);
  const code = readDescriptor(cpu, selector);
  const attributes = attributesOf(code);
  const codeKind = ATTRIBUTE.ORDINARY | ATTRIBUTE.CODE;
  const dpl = dplOf(attributes);
  if ((attributes & codeKind) !== codeKind || dpl > state.cpl) throw selectorFault(GP, selector);
  const is64Bit = (attributes & (ATTRIBUTE.L | ATTRIBUTE.DB)) === ATTRIBUTE.L;
  if (long && !is64Bit) throw selectorFault(GP, selector);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector);
  const conforming = (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const inner = !conforming && dpl < state.cpl;
  if (kind === 'jump' && inner) throw selectorFault(GP, selector);
  checkOffset(cpu, code, offset);
  const bytes = long ? 8 : wide ? 4 : 2;
  if (kind === 'call') {
    if (inner) pushOnInnerStack(cpu, dpl, bytes, gate.high & 0x1f, long);
    else {
      const stack = Stack.current(cpu);
      stack.push(bytes, state.selector(CS));
      stack.push(bytes, cpu.nextRip());
      stack.commit(state);
    }
  }
  enterCode(cpu, selector, code, inner ? dpl : state.cpl, offset);
}

/** Switches to the stack of level `cpl`, with the caller's SS, rSP, parameters, CS and rIP on it. */
function pushOnInnerStack(
  cpu: Cpu,
  cpl: number,
  bytes: number,
  parameters: number,
  long: boolean,
): void {
  const { state } = cpu;
  const caller = Stack.current(cpu);
  let stack: Stack;
  let segment: Descriptor | undefined;
  let selector = cpl;
  if (long) {
    const pointer = longModeStack(cpu, cpl, 0, 0);
    if (!isCanonical(state, pointer)) throw new GuestFault(SSF);
    stack = Stack.long(cpu, pointer, 'supervisor');
  } else {
    const top = legacyStack(cpu, cpl, 0);
    selector = top.selector;
    if (isNullSelector(selector)) throw selectorFault(TS, selector);
    segment = checkStackSegment(cpu, selector, cpl, TS);
    stack = Stack.inner(cpu, segment, top.pointer, selector & 0xfffc);
  }
  stack.push(bytes, state.selector(SS));
  stack.push(bytes, state.gpr(RSP));
  if (!long) {
    const words = Array.from({ length: parameters }, () => caller.pop(bytes));
    for (const word of words.reverse()) stack.push(bytes, word);
  }
  stack.push(bytes, state.selector(CS));
  stack.push(bytes, cpu.nextRip());
  if (segment === undefined) nullSegment(state, SS, selector);
  else cacheSegment(state, SS, selector, markAccessed(cpu, segment), segment);
  stack.commit(state);
}

/** RETF, releasing `release` bytes of parameters. */
function farReturn(cpu: Cpu, operandSize: number, release: number): void {
  const { state } = cpu;
  const bytes = operandSize / 8;
  const stack = Stack.current(cpu);
  const rip = stack.pop(bytes);
  const selector = Number(stack.pop(bytes) & 0xffffn);
  if (inRealMode(state) || inVirtual8086(state)) {
    if (rip > BigInt(state.segmentLimit(CS))) throw new GuestFault(GP);
    stack.skip(release);
    stack.commit(state);
    loadRealSegment(state, CS, selector);
    cpu.redirect(rip);
    return;
  }
  const code = checkReturnCode(cpu, selector);
  checkOffset(cpu, code.descriptor, rip);
  const cpl = selector & 3;
  stack.skip(release);
  if (cpl === state.cpl) {
    stack.commit(state);
  } else {
    const pointer = stack.pop(bytes);
    const stackSelector = Number(stack.pop(bytes) & 0xffffn);
    loadReturnStack(cpu, stackSelector, cpl, code.is64Bit, () => {});
    loadReturnCode(cpu, code);
    setStackPointer(state, pointer);
    const outer = Stack.current(cpu);
    outer.skip(release);
    outer.commit(state);
    state.cpl = cpl;
    dropInnerSegments(cpu);
  }
  loadReturnCode(cpu, code);
  cpu.modeChanged();
  cpu.redirect(rip);
}

export const farTransferHelpers: Record<string, Helper> = {
  farJump: {
    params: ['i32', 'i64', 'i32'],
    run: (cpu, selector: number, offset: bigint, size: number) =>
      far(cpu, selector, offset, size, 'jump'),
  },
  farCall: {
    params: ['i32', 'i64', 'i32'],
    run: (cpu, selector: number, offset: bigint, size: number) =>
      far(cpu, selector, offset, size, 'call'),
  },
  farReturn: { params: ['i32', 'i32'], run: farReturn },
};
