/** The state in which a boot loader hands over: what firmware and a loader would have left behind. */
import type { CpuState } from '../cpu-state.ts';
import { CS, DS, ES, FS, GS, gprOffset, SS, STATE } from '../state.ts';
import { CR0, CR4, EFER } from './control-bits.ts';
import { FLAT } from './descriptor.ts';
import { initialState } from './reset.ts';

const REGISTER_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

/** Values of general registers by name; the rest are zero. */
export type EntryRegisters = Partial<Record<(typeof REGISTER_NAMES)[number], number | bigint>>;

export interface EntryPoint {
  /** linear address of the first instruction */
  readonly entry: number | bigint;
  readonly registers?: EntryRegisters;
  /** selectors the protocol names; by default 0x10 for code and 0x18 for data */
  readonly codeSelector?: number;
  readonly dataSelector?: number;
}

export interface LongEntryPoint extends EntryPoint {
  /** guest-physical address of the top-level page table */
  readonly pageTable: number | bigint;
  /** the loader's GDT, so that the guest may reload its selectors */
  readonly gdt?: { readonly base: number | bigint; readonly limit: number };
}

/** MTRRs on, everything write-back: what firmware sets up before it starts a loader. */
const MTRR_ENABLED_WRITE_BACK = 0x806n;

function prepare(state: CpuState, point: EntryPoint, codeAttributes: number): void {
  initialState(state);
  state.set64(STATE.mtrrDefType, MTRR_ENABLED_WRITE_BACK);
  REGISTER_NAMES.forEach((name, index) => {
    const value = point.registers?.[name];
    state.set64(gprOffset(index), BigInt.asUintN(64, BigInt(value ?? 0)));
  });
  state.set64(STATE.rip, BigInt(point.entry));
  state.setSegment(CS, point.codeSelector ?? 0x10, codeAttributes, 0xffff_ffff, 0n);
  for (const index of [ES, SS, DS, FS, GS]) {
    state.setSegment(index, point.dataSelector ?? 0x18, FLAT.DATA, 0xffff_ffff, 0n);
  }
}

/** 32-bit protected mode, flat segments, paging off (PVH, multiboot). */
export function enterProtected32(state: CpuState, point: EntryPoint): void {
  prepare(state, point, FLAT.CODE32);
  state.set64(STATE.cr0, BigInt(CR0.PE | CR0.ET));
}

/** 64-bit mode with the loader's page tables (the Linux 64-bit boot protocol). */
export function enterLong64(state: CpuState, point: LongEntryPoint): void {
  prepare(state, point, FLAT.CODE64);
  state.set64(STATE.cr0, BigInt((CR0.PE | CR0.ET | CR0.NE | CR0.WP | CR0.PG) >>> 0));
  state.set64(STATE.cr3, BigInt(point.pageTable));
  state.set64(STATE.cr4, BigInt(CR4.PAE));
  state.set64(STATE.efer, BigInt(EFER.LME | EFER.LMA | EFER.NXE));
  if (point.gdt !== undefined) {
    state.set64(STATE.gdtrBase, BigInt(point.gdt.base));
    state.set32(STATE.gdtrLimit, point.gdt.limit);
  }
}
