/** INT n, INT3, INTO, INT1, HLT and hypercalls. SDM Vol. 2A "INT n/INTO/INT3/INT1". */
import type { Cpu, Helper } from '../cpu.ts';
import { BP, DB, GP, GuestFault, OF, UD } from '../fault.ts';
import { STATE } from '../state.ts';
import { deliverOnce } from './deliver.ts';
import { virtual8086Sensitive } from './flags.ts';

/** A failed delivery faults at the INT instruction itself: nothing compounds. */
function software(cpu: Cpu, vector: number): void {
  deliverOnce(cpu, { vector, kind: 'software', errorCode: 0, rip: cpu.nextRip() });
}

function interrupt(cpu: Cpu, vector: number): void {
  if (virtual8086Sensitive(cpu.state)) throw new GuestFault(GP);
  software(cpu, vector & 0xff);
}

/** INT1 is a trap that no gate's DPL keeps out. */
function int1(cpu: Cpu): void {
  deliverOnce(cpu, { vector: DB, kind: 'trap', errorCode: 0, rip: cpu.nextRip() });
}

function hlt(cpu: Cpu): void {
  cpu.state.set32(STATE.interruptShadow, 0);
  cpu.state.set32(STATE.halted, 1);
  cpu.halt();
}

function hypercall(cpu: Cpu): void {
  if (!cpu.hypercall()) throw new GuestFault(UD);
}

export const interruptHelpers: Record<string, Helper> = {
  interrupt: { params: ['i32'], run: interrupt },
  breakpoint: { params: [], run: (cpu) => software(cpu, BP) },
  overflow: { params: [], run: (cpu) => software(cpu, OF) },
  int1: { params: [], run: int1 },
  hlt: { params: [], run: hlt },
  hypercall: { params: [], run: hypercall },
};
