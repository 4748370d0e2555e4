/**
 * Delivery of an event in long mode. SDM Vol. 3A, 6.14 "Exception and Interrupt Handling in 64-bit Mode".
 *
 *   gate, 16 bytes                                frame pushed, 16-byte aligned
 *    0  offset 15:0    2  selector                 +40 SS
 *    4  IST 2:0        5  type, DPL, P             +32 RSP
 *    6  offset 31:16   8  offset 63:32             +24 RFLAGS
 *                                                  +16 CS
 *                                                   +8 RIP
 *                                                    0 error code, when there is one
 */
import type { Cpu } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { GP, GuestFault, NP, SSF } from '../fault.ts';
import { CS, RSP, SS, STATE } from '../state.ts';
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
import { isCanonical } from './mode.ts';
import { cacheSegment, isNullSelector, nullSegment } from './segments.ts';
import { longModeStack } from './tss.ts';

const gate = new Uint8Array(16);
const gateView = new DataView(gate.buffer);
const longFrame = new Uint8Array(48);
const frameView = new DataView(longFrame.buffer);
const shortFrame = longFrame.subarray(8);

/** Delivers `event`, or throws the GuestFault that its delivery raises; the vCPU is then unchanged. */
export function deliverLong(cpu: Cpu, event: CpuEvent): void {
  const { state } = cpu;
  const external = externalBit(event);
  readGate(cpu, event);
  const selector = gateView.getUint16(2, true);
  const type = gateView.getUint8(5) & 0xf;
  const target = gateView.getBigUint64(4, true);
  const rip = ((target >> 32n) << 32n) | BigInt(gateOffsetLow());

  const code = checkHandlerSegment(cpu, selector, external);
  const attributes = attributesOf(code);
  const conforming = (attributes & ATTRIBUTE.CONFORMING) !== 0;
  const cpl = conforming ? state.cpl : dplOf(attributes);
  const inner = cpl !== state.cpl;

  const ist = gateView.getUint8(4) & 7;
  const stack = inner || ist !== 0 ? longModeStack(cpu, cpl, ist, external) : state.gpr(RSP);
  if (!isCanonical(state, stack)) throw new GuestFault(SSF, external);
  const pointer = pushFrame(cpu, event, stack & ~0xfn, inner);
  const codeAttributes = markAccessed(cpu, code);

  if (inner) nullSegment(state, SS, cpl);
  cacheSegment(state, CS, (selector & 0xfffc) | cpl, codeAttributes, code);
  state.setGpr(RSP, pointer);
  state.cpl = cpl;
  let cleared = EFLAGS.TF | EFLAGS.NT | EFLAGS.RF | EFLAGS.VM;
  if (type === SYSTEM.INTERRUPT_GATE32) cleared |= EFLAGS.IF;
  state.set32(STATE.eflags, state.get32(STATE.eflags) & ~cleared);
  cpu.modeChanged();
  cpu.redirect(rip);
}

function gateOffsetLow(): number {
  return ((gateView.getUint16(6, true) << 16) | gateView.getUint16(0, true)) >>> 0;
}

/** Reads the event's gate into `gate` and checks it. */
function readGate(cpu: Cpu, event: CpuEvent): void {
  const { state } = cpu;
  const code = event.vector * 8 + 2 + externalBit(event);
  if (event.vector * 16 + 15 > state.get32(STATE.idtrLimit)) throw new GuestFault(GP, code);
  const address = state.get64(STATE.idtrBase) + BigInt(event.vector * 16);
  cpu.readBytes(BigInt.asUintN(64, address), gate, 'supervisor');
  const access = gateView.getUint8(5);
  const type = access & 0x1f;
  if (type !== SYSTEM.INTERRUPT_GATE32 && type !== SYSTEM.TRAP_GATE32) {
    throw new GuestFault(GP, code);
  }
  if (event.kind === 'software' && dplOf(access) < state.cpl) throw new GuestFault(GP, code);
  if ((access & ATTRIBUTE.PRESENT) === 0) throw new GuestFault(NP, code);
}

/** A handler's segment is 64-bit code, present, and not less privileged than the current level. */
function checkHandlerSegment(cpu: Cpu, selector: number, external: number): Descriptor {
  if (isNullSelector(selector)) throw new GuestFault(GP, external);
  const descriptor = readDescriptor(cpu, selector, GP, external);
  const attributes = attributesOf(descriptor);
  const kind = ATTRIBUTE.ORDINARY | ATTRIBUTE.CODE | ATTRIBUTE.L;
  const legal = (attributes & (kind | ATTRIBUTE.DB)) === kind;
  if (!legal || dplOf(attributes) > cpu.state.cpl) throw selectorFault(GP, selector, external);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector, external);
  return descriptor;
}

/** Writes the frame below `top` in one go; returns the new stack pointer. */
function pushFrame(cpu: Cpu, event: CpuEvent, top: bigint, inner: boolean): bigint {
  const { state } = cpu;
  const withCode = hasErrorCode(event);
  const resume = event.kind === 'fault' ? EFLAGS.RF : 0;
  frameView.setUint32(0, event.errorCode, true);
  frameView.setUint32(4, 0, true);
  frameView.setBigUint64(8, event.rip, true);
  frameView.setUint32(16, state.selector(CS), true);
  frameView.setUint32(20, 0, true);
  frameView.setUint32(24, readFlags(state) | resume, true);
  frameView.setUint32(28, 0, true);
  frameView.setUint32(32, state.get32(STATE.gpr + RSP * 8), true);
  frameView.setUint32(36, state.get32(STATE.gpr + RSP * 8 + 4), true);
  frameView.setUint32(40, state.selector(SS), true);
  frameView.setUint32(44, 0, true);
  const frame = withCode ? longFrame : shortFrame;
  const pointer = BigInt.asUintN(64, top - BigInt(frame.length));
  if (!isCanonical(state, pointer)) throw new GuestFault(SSF, externalBit(event));
  cpu.writeBytes(pointer, frame, inner ? 'supervisor' : 'current');
  return pointer;
}
