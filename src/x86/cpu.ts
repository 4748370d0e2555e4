import type { InterruptController } from '../bus/mod.ts';
import type { Type } from '../ir/mod.ts';
import type { CpuState } from './cpu-state.ts';
import type { Routine } from './routine.ts';

/** Whose rights an access uses: the current privilege level's, or the processor's own (tables, TSS). */
export type Privilege = 'current' | 'supervisor';

/** What a helper sees of the machine around a vCPU. Implemented by each engine. */
export interface Cpu {
  readonly state: CpuState;
  readonly interrupts: InterruptController;

  /** Reads `bytes` (1, 2, 4, 8) at a linear address, little-endian, unsigned. Throws GuestFault (#PF, #GP). */
  readLinear(address: bigint, bytes: number, privilege?: Privilege): bigint;
  /** Writes the low `bytes` (1, 2, 4, 8) of `value`. All or nothing, also across pages. */
  writeLinear(address: bigint, bytes: number, value: bigint, privilege?: Privilege): void;
  /** Copies `target.length` bytes from guest memory; throws before the first faulting byte changes anything. */
  readBytes(address: bigint, target: Uint8Array, privilege?: Privilege): void;
  /** Writes all of `source` or, when some byte faults, nothing. */
  writeBytes(address: bigint, source: Uint8Array, privilege?: Privilege): void;
  /**
   * Linear-memory offset of plain RAM behind `address` for `access`, and how many bytes from there stay in
   * the page; undefined for MMIO and other special pages. Throws GuestFault. For bulk helpers (REP MOVS).
   * A 'write' translation of a page with translated code reports through the slow path: undefined.
   */
  translate(
    address: bigint,
    access: 'read' | 'write',
  ): { offset: number; bytes: number } | undefined;
  /** The linear memory itself, for `translate`. */
  readonly linear: Uint8Array;

  /** Four bytes at a guest-physical address, a multiple of 4, unsigned. */
  readPhysical32(address: number): number;

  /** RIP of the instruction being executed, and of the next one. */
  currentRip(): bigint;
  nextRip(): bigint;
  /** Continues at `rip` instead of the next instruction. Also needed after any change of mode or CPL. */
  /** The instruction under way has taken as long as so many others: engines with a budget take it off theirs. */
  spent?(instructions: number): void;
  redirect(rip: bigint): void;
  /** Called after a change of CR0, CR4, EFER, CPL, CS or SS attributes: the engine recomputes its mode key. */
  modeChanged(): void;

  /** Drops cached translations: all, all but global ones, or one page. */
  flushTlb(scope: 'all' | 'non-global'): void;
  flushPage(address: bigint): void;
  /** CR3 was written: translations are those of address space `pcid`; cached ones are kept when `keep` says so. */
  switchAddressSpace(pcid: number, keep: boolean): void;
  /** Drops what is not global of the address space `pcid`. */
  flushContext(pcid: number): void;

  /** Port I/O. Sizes 1, 2, 4. */
  ioRead(port: number, bytes: 1 | 2 | 4): number;
  ioWrite(port: number, bytes: 1 | 2 | 4, value: number): void;

  /** 64 random bits from the host; undefined when it gives none. */
  random?(): bigint | undefined;
  /** The time-stamp counter before tscOffset. */
  readTsc(): bigint;
  /** CPUID leaf as [eax, ebx, ecx, edx], state-dependent bits included. */
  cpuid(leaf: number, subleaf: number): readonly [number, number, number, number];
  /** True when CPUID announces `feature` (names as in Linux cpuinfo: sse4_2, avx2 ...). */
  hasFeature(feature: string): boolean;

  /** MSRs the machine adds (KVM clock and friends). undefined / false mean #GP. */
  readMachineMsr(index: number): bigint | undefined;
  writeMachineMsr(index: number, value: bigint): boolean;

  /** HLT was executed; the engine leaves. */
  halt(): void;
  /** VMCALL/VMMCALL: handled by the machine; returns false for #UD. */
  hypercall(): boolean;
}

/** A named operation too rare or too long for the intermediate form. */
export interface Helper {
  readonly params: readonly Type[];
  /** `undefined` for effect helpers (Builder.helper), else the value's type (Builder.call). */
  readonly result?: Type;
  /**
   * What compiled code calls instead of `run`, for helpers with a result. It gives what `run` gives; or, where
   * 1 means that it has done an instruction, it may do that, while `run` changes nothing and gives 0.
   */
  readonly routine?: (b: Routine) => void;
  /** i64 arguments and results are bigint (unsigned or signed as they come: mask them), i32 numbers. */
  // biome-ignore lint/suspicious/noExplicitAny: arguments follow `params`
  readonly run: (cpu: Cpu, ...args: any[]) => any;
}
