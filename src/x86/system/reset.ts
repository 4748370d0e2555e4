/** The vCPU's state after power-on, INIT and SIPI. SDM Vol. 3A, table 10-1 "Processor State After Reset". */
import type { CpuState } from '../cpu-state.ts';
import { FAMILY_MODEL_STEPPING } from '../cpuid/mod.ts';
import { CS, DS, ES, FS, GS, gprOffset, LDTR, RDX, SS, STATE, TR } from '../state.ts';
import { CR0 } from './control-bits.ts';

const REAL_CODE = 0x9b;
const REAL_DATA = 0x93;
const LDT_ATTRIBUTES = 0x82;
const TSS_ATTRIBUTES = 0x8b;
const PAT_RESET = 0x0007_0406_0007_0406n;
const MXCSR_RESET = 0x1f80;
const FPU_CONTROL_RESET = 0x40;
const DR6_RESET = 0xffff_0ff0n;
const DR7_RESET = 0x400n;

/** Fields that an INIT leaves as they are: MSRs, the FPU, caches' and translations' set-up. */
const KEPT_BY_INIT: readonly (readonly [from: number, to: number])[] = [
  [STATE.star, STATE.cpl],
  [STATE.mxcsr, STATE.size],
  [STATE.xcr0, STATE.xcr0 + 8],
];

/** Power-on state: real mode at F000:FFF0, base FFFF0000. */
export function initialState(state: CpuState): void {
  state.u8.fill(0);
  initRegisters(state, CR0.CD | CR0.NW | CR0.ET);
  state.set64(STATE.pat, PAT_RESET);
  state.set64(STATE.xcr0, 1n);
  state.set64(STATE.miscEnable, 1n); // fast strings
  state.set32(STATE.mxcsr, MXCSR_RESET);
  state.set16(STATE.fpuControl, FPU_CONTROL_RESET);
  state.set32(STATE.fpuValid, 0xff);
}

/** What the INIT signal does: like power-on, but MSRs, FPU and cache control survive. */
export function initByInterrupt(state: CpuState): void {
  const kept = KEPT_BY_INIT.map(([from, to]) => ({ from, bytes: state.u8.slice(from, to) }));
  const caching = state.get32(STATE.cr0) & (CR0.CD | CR0.NW);
  state.u8.fill(0);
  for (const { from, bytes } of kept) state.u8.set(bytes, from);
  initRegisters(state, caching | CR0.ET);
}

/** A start-up interrupt: real mode at `vector` × 4 KiB. */
export function startUp(state: CpuState, vector: number): void {
  state.setSegment(CS, (vector & 0xff) << 8, REAL_CODE, 0xffff, BigInt((vector & 0xff) << 12));
  state.set64(STATE.rip, 0n);
  state.set32(STATE.halted, 0);
}

function initRegisters(state: CpuState, cr0: number): void {
  state.set64(STATE.constant4000, 0x4000n);
  state.set64(gprOffset(RDX), BigInt(FAMILY_MODEL_STEPPING));
  state.set64(STATE.rip, 0xfff0n);
  state.setFlags(2);
  state.setSegment(CS, 0xf000, REAL_CODE, 0xffff, 0xffff_0000n);
  for (const index of [ES, SS, DS, FS, GS]) state.setSegment(index, 0, REAL_DATA, 0xffff, 0n);
  state.setSegment(LDTR, 0, LDT_ATTRIBUTES, 0xffff, 0n);
  state.setSegment(TR, 0, TSS_ATTRIBUTES, 0xffff, 0n);
  state.set32(STATE.gdtrLimit, 0xffff);
  state.set32(STATE.idtrLimit, 0xffff);
  state.set64(STATE.cr0, BigInt(cr0 >>> 0));
  state.set64(STATE.dr + 6 * 8, DR6_RESET);
  state.set64(STATE.dr + 7 * 8, DR7_RESET);
  state.set32(STATE.faultVector, -1);
}
