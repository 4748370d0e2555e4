/** Delivery of an event in real mode: the interrupt vector table. SDM Vol. 3B, 21.1.4. */
import type { Cpu } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { GP, GuestFault } from '../fault.ts';
import { CS, STATE } from '../state.ts';
import type { CpuEvent } from './event.ts';
import { readFlags } from './flags.ts';
import { loadRealSegment } from './segments.ts';
import { Stack } from './stack.ts';

/** Pushes FLAGS, CS and IP; error codes are not pushed in real mode. */
export function deliverReal(cpu: Cpu, event: CpuEvent): void {
  const { state } = cpu;
  if (event.vector * 4 + 3 > state.get32(STATE.idtrLimit)) throw new GuestFault(GP);
  const entry = state.get64(STATE.idtrBase) + BigInt(event.vector * 4);
  const pointer = Number(cpu.readLinear(entry, 4, 'supervisor'));
  const stack = Stack.current(cpu);
  stack.push(2, readFlags(state));
  stack.push(2, state.selector(CS));
  stack.push(2, event.rip);
  stack.commit(state);
  const cleared = EFLAGS.IF | EFLAGS.TF | EFLAGS.AC | EFLAGS.RF;
  state.set32(STATE.eflags, state.get32(STATE.eflags) & ~cleared);
  loadRealSegment(state, CS, pointer >>> 16);
  cpu.modeChanged();
  cpu.redirect(BigInt(pointer & 0xffff));
}
