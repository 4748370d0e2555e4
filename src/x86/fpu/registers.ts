import type { CpuState } from '../cpu-state.ts';
import { STATE } from '../state.ts';
import {
  CONTROL_FIXED,
  CONTROL_INITIAL,
  CONTROL_WRITABLE,
  FPU_B,
  FPU_ES,
  FPU_EXCEPTIONS,
  FPU_TOP,
  FPU_TOP_SHIFT,
  TAG_EMPTY,
  TAG_SPECIAL,
  TAG_VALID,
  TAG_ZERO,
} from './words.ts';

/** State offset of physical register `index` (0 to 7). */
export function physicalOffset(index: number): number {
  return STATE.fpr + (index & 7) * 16;
}

/** State offset of ST(`index`). */
export function stackOffset(state: CpuState, index: number): number {
  return physicalOffset(state.get32(STATE.fpuTop) + index);
}

/** The status word as FNSTSW shows it, stack top included. */
export function statusWord(state: CpuState): number {
  const top = state.get32(STATE.fpuTop) & 7;
  return (state.get16(STATE.fpuStatus) & ~FPU_TOP) | (top << FPU_TOP_SHIFT);
}

/** Loads the status word; ES and B follow from the exception flags and the control word's masks. */
export function setStatusWord(state: CpuState, word: number): void {
  state.set32(STATE.fpuTop, (word & FPU_TOP) >> FPU_TOP_SHIFT);
  state.set16(STATE.fpuStatus, word & ~FPU_TOP);
  summarizeExceptions(state);
}

export function controlWord(state: CpuState): number {
  return state.get16(STATE.fpuControl);
}

/** Loads the control word; bits that do not exist are dropped. */
export function setControlWord(state: CpuState, word: number): void {
  state.set16(STATE.fpuControl, (word & CONTROL_WRITABLE) | CONTROL_FIXED);
  summarizeExceptions(state);
}

/** Recomputes ES and B: set while a flagged exception is unmasked. */
export function summarizeExceptions(state: CpuState): void {
  const status = state.get16(STATE.fpuStatus) & ~(FPU_ES | FPU_B);
  const pending = status & ~state.get16(STATE.fpuControl) & FPU_EXCEPTIONS;
  state.set16(STATE.fpuStatus, pending === 0 ? status : status | FPU_ES | FPU_B);
}

/** The full tag word of FNSTENV: two bits a physical register, computed from the contents. */
export function tagWord(state: CpuState): number {
  let word = 0;
  for (let i = 0; i < 8; i++) word |= registerTag(state, i) << (2 * i);
  return word;
}

/** Loads a full tag word: only "empty" is remembered. */
export function setTagWord(state: CpuState, word: number): void {
  let valid = 0;
  for (let i = 0; i < 8; i++) {
    if (((word >> (2 * i)) & 3) !== TAG_EMPTY) valid |= 1 << i;
  }
  state.set32(STATE.fpuValid, valid);
}

function registerTag(state: CpuState, index: number): number {
  if (((state.get32(STATE.fpuValid) >> index) & 1) === 0) return TAG_EMPTY;
  const at = physicalOffset(index);
  const exponent = state.get16(at + 8) & 0x7fff;
  const significand = state.get64(at);
  if (exponent === 0) return significand === 0n ? TAG_ZERO : TAG_SPECIAL;
  if (exponent === 0x7fff || significand >> 63n === 0n) return TAG_SPECIAL;
  return TAG_VALID;
}

/** What FNINIT does, and the initial x87 state of XRSTOR but for the registers' contents. */
export function initializeFpu(state: CpuState): void {
  state.set16(STATE.fpuControl, CONTROL_INITIAL);
  state.set16(STATE.fpuStatus, 0);
  state.set32(STATE.fpuTop, 0);
  state.set32(STATE.fpuValid, 0);
  state.set16(STATE.fpuOpcode, 0);
  state.set16(STATE.fpuIpSelector, 0);
  state.set16(STATE.fpuDpSelector, 0);
  state.set64(STATE.fpuIp, 0n);
  state.set64(STATE.fpuDp, 0n);
}

/** Zeroes the eight registers' contents. */
export function clearFpuRegisters(state: CpuState): void {
  state.u8.fill(0, STATE.fpr, STATE.fpr + 128);
}
