/** CPUID, RDTSC, RDPMC, RDMSR, WRMSR, RDRAND. SDM Vol. 2A "CPUID"; Vol. 2B "RDMSR", "RDPMC", "RDTSC". */
import type { Cpu, Helper } from '../cpu.ts';
import { GP, GuestFault } from '../fault.ts';
import { readMsr, writeMsr } from '../msr/mod.ts';
import { RAX, RBX, RCX, RDX, STATE } from '../state.ts';
import { CR4 } from './control-bits.ts';

function cpuid(cpu: Cpu): void {
  const { state } = cpu;
  const [eax, ebx, ecx, edx] = cpu.cpuid(state.gpr32(RAX), state.gpr32(RCX));
  state.setGpr32(RAX, eax);
  state.setGpr32(RBX, ebx);
  state.setGpr32(RCX, ecx);
  state.setGpr32(RDX, edx);
}

/** The guest's time-stamp counter. */
export function timeStampCounter(cpu: Cpu): bigint {
  return BigInt.asUintN(64, cpu.readTsc() + cpu.state.get64(STATE.tscOffset));
}

function rdmsr(cpu: Cpu): void {
  const { state } = cpu;
  const value = readMsr(cpu, state.gpr32(RCX));
  if (value === undefined) throw new GuestFault(GP);
  state.setGpr(RAX, value & 0xffff_ffffn);
  state.setGpr(RDX, value >> 32n);
}

function wrmsr(cpu: Cpu): void {
  const { state } = cpu;
  const value = (BigInt(state.gpr32(RDX)) << 32n) | BigInt(state.gpr32(RAX));
  if (!writeMsr(cpu, state.gpr32(RCX), value)) throw new GuestFault(GP);
}

/** Random bits into the first scratch field; whether there were any into the second. */
function random(cpu: Cpu): void {
  const bits = cpu.random?.();
  cpu.state.set64(STATE.scratch, bits ?? 0n);
  cpu.state.set64(STATE.scratch + 8, bits === undefined ? 0n : 1n);
}

/** Performance counters are there and count nothing. SDM Vol. 2B "RDPMC"; APM Vol. 2, 13.2. */
const PERFORMANCE_COUNTERS = 4;

function rdpmc({ state }: Cpu): void {
  const allowed = (state.get32(STATE.cr4) & CR4.PCE) !== 0 || state.cpl === 0;
  if (!allowed || state.gpr32(RCX) >= PERFORMANCE_COUNTERS) throw new GuestFault(GP);
  state.setGpr32(RAX, 0);
  state.setGpr32(RDX, 0);
}

export const identificationHelpers: Record<string, Helper> = {
  cpuid: { params: [], run: cpuid },
  readTsc: { params: [], result: 'i64', run: timeStampCounter },
  random: { params: [], run: random },
  rdmsr: { params: [], run: rdmsr },
  wrmsr: { params: [], run: wrmsr },
  rdpmc: { params: [], run: rdpmc },
};
