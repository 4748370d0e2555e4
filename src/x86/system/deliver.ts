/** Delivery of exceptions and interrupts, with double and triple faults. */
import type { Cpu } from '../cpu.ts';
import { DB, type GuestFault as Fault, GuestFault, PF } from '../fault.ts';
import { STATE } from '../state.ts';
import { deliverLong } from './deliver-long.ts';
import { deliverProtected } from './deliver-protected.ts';
import { deliverReal } from './deliver-real.ts';
import { type CpuEvent, compound } from './event.ts';
import { inLongMode, inRealMode } from './mode.ts';
import { setNmiBlocked } from './nmi.ts';

/** What `deliver` came to: the handler's first instruction is next, or the processor shut down. */
export type Delivery = 'delivered' | 'shutdown';

const NMI_VECTOR = 2;

/** One attempt: throws the GuestFault that the delivery itself raises, with the vCPU unchanged. */
export function deliverOnce(cpu: Cpu, event: CpuEvent): void {
  const { state } = cpu;
  if (inLongMode(state)) deliverLong(cpu, event);
  else if (inRealMode(state)) deliverReal(cpu, event);
  else deliverProtected(cpu, event);
  state.set32(STATE.interruptShadow, 0);
  state.set32(STATE.halted, 0);
  state.set32(STATE.deliveries, state.get32(STATE.deliveries) + 1);
}

/**
 * Delivers `event` through the interrupt table; faults on the way compound it. Returns 'shutdown'
 * after a triple fault, with the vCPU as it was (the machine resets or stops).
 */
export function deliver(cpu: Cpu, event: CpuEvent): Delivery {
  let current = event;
  noteFault(cpu, event);
  for (;;) {
    try {
      deliverOnce(cpu, current);
      if (event.kind === 'nmi') setNmiBlocked(cpu.state, true);
      return 'delivered';
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      const second = faultEvent(error, event.rip);
      noteFault(cpu, second);
      const next = compound(current, second);
      if (next === 'shutdown') return 'shutdown';
      current = next;
    }
  }
}

/** Registers that an exception sets before it is delivered: CR2 of page faults. */
function noteFault(cpu: Cpu, event: CpuEvent): void {
  if (event.kind !== 'fault' && event.kind !== 'trap') return;
  if (event.vector === PF && event.address !== undefined) {
    cpu.state.set64(STATE.cr2, BigInt.asUintN(64, event.address));
  }
}

function faultEvent(fault: Fault, rip: bigint): CpuEvent {
  const { vector, errorCode, address } = fault;
  return { vector, kind: 'fault', errorCode, address, rip };
}

/** Delivers an exception raised by the instruction at `rip`. */
export function deliverFault(cpu: Cpu, fault: Fault, rip: bigint): Delivery {
  return deliver(cpu, faultEvent(fault, rip));
}

/** Delivers maskable interrupt `vector`; `rip` is the next instruction. */
export function deliverInterrupt(cpu: Cpu, vector: number, rip: bigint): Delivery {
  return deliver(cpu, { vector, kind: 'external', errorCode: 0, rip });
}

/** Delivers a non-maskable interrupt and blocks further ones until IRET. */
export function deliverNmi(cpu: Cpu, rip: bigint): Delivery {
  return deliver(cpu, { vector: NMI_VECTOR, kind: 'nmi', errorCode: 0, rip });
}

/** Delivers the debug trap after an instruction; `dr6` are the causes (bit 14: single step). */
export function deliverDebugTrap(cpu: Cpu, dr6: number, rip: bigint): Delivery {
  const at = STATE.dr + 6 * 8;
  cpu.state.set32(at, cpu.state.get32(at) | dr6);
  return deliver(cpu, { vector: DB, kind: 'trap', errorCode: 0, rip });
}
