/** The time-stamp counter and what hangs on it. SDM Vol. 3B, 18.17. */
import type { Cpu } from '../cpu.ts';
import { STATE } from '../state.ts';
import { type Msr, type MsrTable, withFeature } from './register.ts';

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Moves the counter by `delta`; IA32_TSC_ADJUST keeps the sum of all such moves. */
function shiftCounter(cpu: Cpu, delta: bigint): void {
  const { state } = cpu;
  state.set64(STATE.tscOffset, u64(state.get64(STATE.tscOffset) + delta));
  state.set64(STATE.tscAdjust, u64(state.get64(STATE.tscAdjust) + delta));
}

const counter: Msr = {
  name: 'TSC',
  read: (cpu) => u64(cpu.readTsc() + cpu.state.get64(STATE.tscOffset)),
  write: (cpu, value) => {
    shiftCounter(cpu, value - u64(cpu.readTsc() + cpu.state.get64(STATE.tscOffset)));
    return true;
  },
};

const adjust: Msr = {
  name: 'TSC_ADJUST',
  read: (cpu) => cpu.state.get64(STATE.tscAdjust),
  write: (cpu, value) => {
    shiftCounter(cpu, value - cpu.state.get64(STATE.tscAdjust));
    return true;
  },
};

const deadline: Msr = {
  name: 'TSC_DEADLINE',
  read: (cpu) => cpu.interrupts.tscDeadline,
  write: (cpu, value) => {
    cpu.interrupts.tscDeadline = value;
    return true;
  },
};

export const timeMsrs: MsrTable = [
  [0x10, withFeature('tsc', counter)],
  [0x3b, withFeature('tsc_adjust', adjust)],
  [0x6e0, withFeature('tsc_deadline_timer', deadline)],
];
