/**
 * Delivery of an event in 32-bit protected mode and from virtual-8086 mode. SDM Vol. 3A, 6.12 and 21.2.
 *
 *   gate, 8 bytes                    frame (4-byte words; 2-byte for 16-bit gates), last pushed first
 *   0  offset 15:0   2  selector     [error code] EIP CS EFLAGS [ESP SS [ES DS FS GS]]
 *   5  type, DPL, P  6  offset 31:16
 */
import type { Cpu } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { GP, GuestFault, NP, TS } from '../fault.ts';
import { CS, DS, ES, FS, GS, RSP, SS, STATE } from '../state.ts';
import {
  ATTRIBUTE,
  attributesOf,
  type Descriptor,
  dplOf,
  markAccessed,
  readDescriptor,
  SYSTEM,
  selectorFault,
} from './descriptor.ts';
import { type CpuEvent, externalBit, hasErrorCode } from './event.ts';
import { readFlags } from './flags.ts';
import { inVirtual8086 } from './mode.ts';
import { cacheSegment, checkStackSegment, isNullSelector, nullSegment } from './segments.ts';
import { Stack } from './stack.ts';
import { deliverByTask } from './task-switch.ts';
import { legacyStack } from './tss.ts';

interface Gate {
  readonly selector: number;
  readonly offset: number;
  readonly type: number;
}

/** Delivers `event`, or throws the GuestFault that its delivery raises. */
export function deliverProtected(cpu: Cpu, event: CpuEvent): void {
  const gate = readGate(cpu, event);
  if (gate.type === SYSTEM.TASK_GATE) deliverByTask(cpu, event, gate.selector);
  else enterHandler(cpu, event, gate);
}

function readGate(cpu: Cpu, event: CpuEvent): Gate {
  const { state } = cpu;
  const code = event.vector * 8 + 2 + externalBit(event);
  if (event.vector * 8 + 7 > state.get32(STATE.idtrLimit)) throw new GuestFault(GP, code);
  const address = state.get64(STATE.idtrBase) + BigInt(event.vector * 8);
  const words = cpu.readLinear(address, 8, 'supervisor');
  const low = Number(words & 0xffff_ffffn);
  const high = Number(words >> 32n);
  const access = (high >>> 8) & 0xff;
  const type = access & 0x1f;
  const known =
    type === SYSTEM.TASK_GATE ||
    type === SYSTEM.INTERRUPT_GATE16 ||
    type === SYSTEM.TRAP_GATE16 ||
    type === SYSTEM.INTERRUPT_GATE32 ||
    type === SYSTEM.TRAP_GATE32;
  if (!known) throw new GuestFault(GP, code);
  if (event.kind === 'software' && dplOf(access) < state.cpl) throw new GuestFault(GP, code);
  if ((access & ATTRIBUTE.PRESENT) === 0) throw new GuestFault(NP, code);
  const offset = ((high & 0xffff_0000) | (low & 0xffff)) >>> 0;
  return { selector: low >>> 16, type, offset: type >= 8 ? offset : offset & 0xffff };
}

function checkHandlerSegment(cpu: Cpu, selector: number, external: number): Descriptor {
  if (isNullSelector(selector)) throw new GuestFault(GP, external);
  const descriptor = readDescriptor(cpu, selector, GP, external);
  const attributes = attributesOf(descriptor);
  const kind = ATTRIBUTE.ORDINARY | ATTRIBUTE.CODE;
  if ((attributes & kind) !== kind || dplOf(attributes) > cpu.state.cpl) {
    throw selectorFault(GP, selector, external);
  }
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector, external);
  return descriptor;
}

function enterHandler(cpu: Cpu, event: CpuEvent, gate: Gate): void {
  const { state } = cpu;
  const external = externalBit(event);
  const code = checkHandlerSegment(cpu, gate.selector, external);
  const attributes = attributesOf(code);
  const conforming = (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const cpl = conforming ? state.cpl : dplOf(attributes);
  const virtual = inVirtual8086(state);
  if (virtual && cpl !== 0) throw selectorFault(GP, gate.selector, external);
  const bytes = gate.type >= 8 ? 4 : 2;

  let stack = Stack.current(cpu, external);
  const inner = cpl !== state.cpl;
  let stackSegment: Descriptor | undefined;
  let stackSelector = 0;
  if (inner) {
    const top = legacyStack(cpu, cpl, external);
    stackSelector = top.selector;
    if (isNullSelector(stackSelector)) throw selectorFault(TS, stackSelector, external);
    stackSegment = checkStackSegment(cpu, stackSelector, cpl, TS, external);
    stack = Stack.inner(cpu, stackSegment, top.pointer, (stackSelector & 0xfffc) | external);
    if (virtual) for (const index of [GS, FS, DS, ES]) stack.push(bytes, state.selector(index));
    stack.push(bytes, state.selector(SS));
    stack.push(bytes, state.gpr(RSP));
  }
  const resume = event.kind === 'fault' ? EFLAGS.RF : 0;
  stack.push(bytes, readFlags(state) | resume);
  stack.push(bytes, state.selector(CS));
  stack.push(bytes, event.rip);
  if (hasErrorCode(event)) stack.push(bytes, event.errorCode);
  const codeAttributes = markAccessed(cpu, code);
  const stackAttributes = stackSegment === undefined ? 0 : markAccessed(cpu, stackSegment);

  if (virtual) for (const index of [GS, FS, DS, ES]) nullSegment(state, index);
  if (stackSegment !== undefined) {
    cacheSegment(state, SS, stackSelector, stackAttributes, stackSegment);
  }
  stack.commit(state);
  cacheSegment(state, CS, (gate.selector & 0xfffc) | cpl, codeAttributes, code);
  state.cpl = cpl;
  let cleared = EFLAGS.TF | EFLAGS.NT | EFLAGS.RF | EFLAGS.VM;
  if ((gate.type & 1) === 0) cleared |= EFLAGS.IF;
  state.set32(STATE.eflags, state.get32(STATE.eflags) & ~cleared);
  cpu.modeChanged();
  cpu.redirect(BigInt(gate.offset));
}
