/** The state in which a boot loader hands over: what firmware and a loader would have left behind. */
import type { CpuState } from '../cpu-state.ts';
import { CS, DS, ES, FS, GS, gprOffset, SS, STATE, TR } from '../state.ts';
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

/** A segment register; `attributes` as in the state block. */
export interface EntrySegment {
  readonly selector: number;
  readonly base: number;
  /** last valid offset in bytes */
  readonly limit: number;
  readonly attributes: number;
}

/** A vCPU at the first instruction of what was loaded. */
export interface EntryState {
  readonly entry: number | bigint;
  readonly registers: EntryRegisters;
  readonly rflags: number;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly code: EntrySegment;
  /** for DS, ES, FS, GS and SS */
  readonly data: EntrySegment;
  readonly task?: EntrySegment;
  readonly gdt?: { readonly base: number; readonly limit: number };
}

/** MTRRs on, everything write-back: what firmware sets up before it starts a loader. */
const MTRR_ENABLED_WRITE_BACK = 0x806n;

function setSegment(state: CpuState, index: number, segment: EntrySegment): void {
  const { selector, attributes, limit, base } = segment;
  state.setSegment(index, selector, attributes, limit, BigInt(base));
}

/** Sets up `state` from power-on values and what the loader names. */
export function enterBoot(state: CpuState, entry: EntryState): void {
  initialState(state);
  state.set64(STATE.mtrrDefType, MTRR_ENABLED_WRITE_BACK);
  REGISTER_NAMES.forEach((name, index) => {
    const value = entry.registers[name];
    state.set64(gprOffset(index), BigInt.asUintN(64, BigInt(value ?? 0)));
  });
  state.set64(STATE.rip, BigInt(entry.entry));
  state.setFlags(entry.rflags);
  state.set64(STATE.cr0, BigInt(entry.cr0 >>> 0));
  state.set64(STATE.cr3, BigInt(entry.cr3));
  state.set64(STATE.cr4, BigInt(entry.cr4));
  state.set64(STATE.efer, BigInt(entry.efer));
  setSegment(state, CS, entry.code);
  for (const index of [ES, SS, DS, FS, GS]) setSegment(state, index, entry.data);
  if (entry.task !== undefined) setSegment(state, TR, entry.task);
  if (entry.gdt !== undefined) {
    state.set64(STATE.gdtrBase, BigInt(entry.gdt.base));
    state.set32(STATE.gdtrLimit, entry.gdt.limit);
  }
}

/** Where to start, with flat segments whose descriptors the guest has yet to make. */
export interface EntryPoint {
  readonly entry: number | bigint;
  readonly registers?: EntryRegisters;
}

function flat(selector: number, attributes: number): EntrySegment {
  return { selector, base: 0, limit: 0xffff_ffff, attributes };
}

/** 32-bit protected mode, flat segments, paging off (PVH, multiboot). */
export function enterProtected32(state: CpuState, { entry, registers = {} }: EntryPoint): void {
  enterBoot(state, {
    entry,
    registers,
    rflags: 2,
    cr0: CR0.PE | CR0.ET,
    cr3: 0,
    cr4: 0,
    efer: 0,
    code: flat(0x10, FLAT.CODE32),
    data: flat(0x18, FLAT.DATA),
  });
}

/** 64-bit mode with page tables whose top level lies at `pageTable` (guest-physical). */
export function enterLong64(
  state: CpuState,
  { entry, registers = {}, pageTable }: EntryPoint & { readonly pageTable: number },
): void {
  enterBoot(state, {
    entry,
    registers,
    rflags: 2,
    cr0: CR0.PE | CR0.ET | CR0.NE | CR0.WP | CR0.PG,
    cr3: pageTable,
    cr4: CR4.PAE,
    efer: EFER.LME | EFER.LMA | EFER.NXE,
    code: flat(0x10, FLAT.CODE64),
    data: flat(0x18, FLAT.DATA),
  });
}
