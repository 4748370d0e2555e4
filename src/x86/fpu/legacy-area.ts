/**
 * The 512-byte image of FXSAVE, which is also the legacy region of XSAVE. SDM Vol. 1, 10.5.1.
 *
 *   0  FCW  2  FSW  4  FTW (one bit a register)  6  FOP  8  FIP  16  FDP  24  MXCSR  28  MXCSR_MASK
 *   32 .. 159   ST0 .. ST7, sixteen bytes each        160 .. 415   XMM0 .. XMM15
 *
 * With 64-bit pointers FIP and FDP are 8 bytes; else 4 bytes followed by a selector.
 * Left out: bytes 416 to 511 are neither read nor written.
 */
import type { CpuState } from '../cpu-state.ts';
import { STATE } from '../state.ts';
import { LOWER, loadHalves, storeHalves } from './half-registers.ts';
import {
  controlWord,
  physicalOffset,
  setControlWord,
  setStatusWord,
  stackOffset,
  statusWord,
} from './registers.ts';
import { MXCSR_MASK } from './words.ts';

/** Offset and bytes of the XMM registers in the image. */
export const LEGACY_XMM = 160;
/** Where MXCSR and MXCSR_MASK are. */
export const LEGACY_MXCSR = 24;
/** Bytes of the x87 part. */
export const LEGACY_X87_BYTES = 160;

/** Writes the x87 part: bytes 0 to 23 and 32 to 159. */
export function storeX87(state: CpuState, image: Uint8Array, widePointers: boolean): void {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  view.setUint16(0, controlWord(state), true);
  view.setUint16(2, statusWord(state), true);
  view.setUint16(4, state.get32(STATE.fpuValid) & 0xff, true);
  view.setUint16(6, state.get16(STATE.fpuOpcode), true);
  storePointer(view, 8, state.get64(STATE.fpuIp), state.get16(STATE.fpuIpSelector), widePointers);
  storePointer(view, 16, state.get64(STATE.fpuDp), state.get16(STATE.fpuDpSelector), widePointers);
  for (let i = 0; i < 8; i++) {
    const from = stackOffset(state, i);
    const to = 32 + i * 16;
    view.setUint32(to, state.get32(from), true);
    view.setUint32(to + 4, state.get32(from + 4), true);
    view.setUint32(to + 8, state.get16(from + 8), true);
    view.setUint32(to + 12, 0, true);
  }
}

/** Loads the x87 part. */
export function loadX87(state: CpuState, image: Uint8Array, widePointers: boolean): void {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  setControlWord(state, view.getUint16(0, true));
  setStatusWord(state, view.getUint16(2, true));
  state.set32(STATE.fpuValid, view.getUint8(4));
  state.set16(STATE.fpuOpcode, view.getUint16(6, true) & 0x7ff);
  loadPointer(state, view, 8, STATE.fpuIp, STATE.fpuIpSelector, widePointers);
  loadPointer(state, view, 16, STATE.fpuDp, STATE.fpuDpSelector, widePointers);
  for (let i = 0; i < 8; i++) {
    const from = 32 + i * 16;
    const to = stackOffset(state, i);
    state.set32(to, view.getUint32(from, true));
    state.set32(to + 4, view.getUint32(from + 4, true));
    state.set16(to + 8, view.getUint16(from + 8, true));
  }
}

function storePointer(
  view: DataView,
  at: number,
  pointer: bigint,
  selector: number,
  wide: boolean,
): void {
  if (wide) {
    view.setBigUint64(at, pointer, true);
    return;
  }
  view.setUint32(at, Number(BigInt.asUintN(32, pointer)), true);
  view.setUint32(at + 4, selector, true);
}

function loadPointer(
  state: CpuState,
  view: DataView,
  at: number,
  pointer: number,
  selector: number,
  wide: boolean,
): void {
  state.set64(pointer, wide ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)));
  state.set16(selector, wide ? 0 : view.getUint16(at + 4, true));
}

/** Writes MXCSR and MXCSR_MASK. */
export function storeMxcsr(state: CpuState, image: Uint8Array): void {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  view.setUint32(LEGACY_MXCSR, state.get32(STATE.mxcsr), true);
  view.setUint32(LEGACY_MXCSR + 4, MXCSR_MASK, true);
}

/** MXCSR of an image, or undefined when it has reserved bits set. */
export function imageMxcsr(image: Uint8Array): number | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const mxcsr = view.getUint32(LEGACY_MXCSR, true);
  return (mxcsr & ~MXCSR_MASK) === 0 ? mxcsr : undefined;
}

/** Writes XMM0 to XMM`count - 1`. */
export function storeXmm(state: CpuState, image: Uint8Array, count: number): void {
  storeHalves(state, LOWER, count, image, LEGACY_XMM);
}

/** Loads XMM0 to XMM`count - 1`; the upper halves of the YMM registers stay. */
export function loadXmm(state: CpuState, image: Uint8Array, count: number): void {
  loadHalves(state, LOWER, count, image, LEGACY_XMM);
}

/** True when every x87 field has its initial value: XINUSE[0] is then 0. */
export function x87IsInitial(state: CpuState): boolean {
  if (controlWord(state) !== 0x37f || statusWord(state) !== 0) return false;
  if (state.get32(STATE.fpuValid) !== 0 || state.get16(STATE.fpuOpcode) !== 0) return false;
  if (!isZero64(state, STATE.fpuIp) || !isZero64(state, STATE.fpuDp)) return false;
  if (state.get16(STATE.fpuIpSelector) !== 0 || state.get16(STATE.fpuDpSelector) !== 0)
    return false;
  for (let i = 0; i < 8; i++) {
    const at = physicalOffset(i);
    if (!isZero64(state, at) || state.get16(at + 8) !== 0) return false;
  }
  return true;
}

function isZero64(state: CpuState, offset: number): boolean {
  return (state.get32(offset) | state.get32(offset + 4)) === 0;
}
