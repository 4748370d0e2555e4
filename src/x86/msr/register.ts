import type { Cpu } from '../cpu.ts';
import { isCanonical } from '../system/mode.ts';

/**
 * One model-specific register. `read` gives undefined and `write` false for #GP.
 * `feature` names what CPUID must announce for the register to be there.
 */
export interface Msr {
  readonly name: string;
  readonly feature?: string;
  readonly read: (cpu: Cpu) => bigint | undefined;
  readonly write: (cpu: Cpu, value: bigint) => boolean;
}

export type MsrTable = readonly (readonly [index: number, register: Msr])[];

/** A register that is a 64-bit field of the state block; `accept` judges what may be written. */
export function field(
  name: string,
  offset: number,
  accept: (cpu: Cpu, value: bigint) => boolean = () => true,
): Msr {
  return {
    name,
    read: (cpu) => cpu.state.get64(offset),
    write: (cpu, value) => {
      if (!accept(cpu, value)) return false;
      cpu.state.set64(offset, value);
      return true;
    },
  };
}

/** A field that holds a linear address. */
export function addressField(name: string, offset: number): Msr {
  return field(name, offset, (cpu, value) => isCanonical(cpu.state, value));
}

/** Reads as `value`; writes are ignored. */
export function constant(name: string, value = 0n): Msr {
  return { name, read: () => value, write: () => true };
}

/** Reads as `value`; writes are #GP. */
export function readOnly(name: string, value: bigint): Msr {
  return { name, read: () => value, write: () => false };
}

export function withFeature(feature: string, register: Msr): Msr {
  return { ...register, feature };
}
