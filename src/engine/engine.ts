import type { Bus, InterruptController } from '../bus/mod.ts';
import type { GuestMemory } from '../memory/mod.ts';
import type { CpuState } from '../x86/mod.ts';

/** Why `Vcpu.run` returned. */
export type VcpuExit =
  /** the budget is used up, or somebody asked the vCPU to leave */
  | 'budget'
  /** HLT, and no interrupt to wake it */
  | 'halt'
  /** triple fault: `Vcpu.lastFault` tells */
  | 'shutdown';

/** The CPU a guest sees: CPUID leaves and the features they announce. */
export interface CpuModel {
  cpuid(leaf: number, subleaf: number, state: CpuState): readonly [number, number, number, number];
  has(feature: string): boolean;
}

/** The machine around a vCPU. */
export interface VcpuHost {
  readonly memory: GuestMemory;
  readonly mmio: Bus;
  readonly ports: Bus;
  readonly interrupts: InterruptController;
  readonly model: CpuModel;
  /** time-stamp counter before the guest's offset */
  readTsc(): bigint;
  /** fills `target` with random bytes; without it RDRAND and RDSEED report that there are none */
  fillRandom?(target: Uint8Array<ArrayBuffer>): void;
  /** MSRs of the machine; undefined and false mean #GP */
  readMsr(index: number): bigint | undefined;
  writeMsr(index: number, value: bigint): boolean;
  /** VMCALL/VMMCALL; false means #UD */
  hypercall(state: CpuState): boolean;
}

export interface FaultRecord {
  readonly vector: number;
  readonly errorCode: number;
  readonly rip: bigint;
}

export interface VcpuStats {
  /** guest instructions retired */
  instructions: number;
  /** by the engine's own names of exits */
  exits: Record<string, number>;
  tlb: { hits: number; misses: number; flushes: number };
  invalidations: number;
  tiers: { reference: number; handlers: number; regions: number };
  [extra: string]: unknown;
}

/** One virtual processor. */
export interface Vcpu {
  readonly state: CpuState;
  /** Runs about `budget` instructions, less if something happens. */
  run(budget: number): VcpuExit;
  /** Makes `run` return soon; callable from device callbacks during `run`. */
  requestExit(): void;
  /** Call after changing the state from outside (reset, boot, restore). */
  stateChanged(): void;
  readonly lastFault: FaultRecord | undefined;
  /** Call when nothing is to be run for a while: there is time for what can wait. */
  rest?(): void;
  stats(): VcpuStats;
}
