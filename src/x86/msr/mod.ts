/** Model-specific registers: one table, and the ranges that belong to others. SDM Vol. 4. */
import type { Cpu } from '../cpu.ts';
import { longModeMsrs } from './long-mode.ts';
import { machineCheckMsrs } from './machine-check.ts';
import { memoryTypeMsrs } from './memory-type.ts';
import type { Msr } from './register.ts';
import { timeMsrs } from './time.ts';
import { vendorMsrs } from './vendor.ts';

const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x8ff;

/** Every register of the processor itself, by index. */
export const MSRS: ReadonlyMap<number, Msr> = new Map([
  ...longModeMsrs,
  ...timeMsrs,
  ...memoryTypeMsrs,
  ...machineCheckMsrs,
  ...vendorMsrs,
]);

function find(cpu: Cpu, index: number): Msr | undefined {
  const register = MSRS.get(index);
  if (register?.feature !== undefined && !cpu.hasFeature(register.feature)) return undefined;
  return register;
}

/** Value of register `index`, or undefined for #GP. */
export function readMsr(cpu: Cpu, index: number): bigint | undefined {
  const register = find(cpu, index);
  if (register !== undefined) return register.read(cpu);
  if (index >= X2APIC_FIRST && index <= X2APIC_LAST) {
    return cpu.interrupts.readX2apic(index - X2APIC_FIRST);
  }
  return cpu.readMachineMsr(index);
}

/** Writes register `index`; false for #GP. */
export function writeMsr(cpu: Cpu, index: number, value: bigint): boolean {
  const register = find(cpu, index);
  if (register !== undefined) return register.write(cpu, value);
  if (index >= X2APIC_FIRST && index <= X2APIC_LAST) {
    return cpu.interrupts.writeX2apic(index - X2APIC_FIRST, value);
  }
  return cpu.writeMachineMsr(index, value);
}
