import type { Cpu, Helper } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { STATE } from '../state.ts';
import {
  controlWord,
  initializeFpu,
  setControlWord,
  setStatusWord,
  setTagWord,
  stackOffset,
  statusWord,
  summarizeExceptions,
  tagWord,
} from './registers.ts';
import { FPU_EXCEPTIONS } from './words.ts';

/**
 * The environment image of FLDENV, FNSTENV, FNSAVE and FRSTOR. SDM Vol. 1, 8.1.10.
 *
 *   protected mode, `unit` = 4 (28 bytes) or 2 (14 bytes):
 *     FCW, FSW, FTW, FIP, FCS (and FOP in the high half when unit is 4), FDP, FDS
 *   real and virtual-8086 mode: FIP and FDP are 20- or 32-bit linear addresses; their high bits lie
 *     where the selectors are in protected mode, above the opcode.
 */
function environmentBytes(unit: 2 | 4): number {
  return unit * 7;
}

/** Bits of the helpers' `wide` argument: 1 for the 32-bit layout, 0 for the 16-bit one. */
function unitOf(wide: number): 2 | 4 {
  return wide !== 0 ? 4 : 2;
}

function inProtectedMode(cpu: Cpu): boolean {
  return (cpu.state.cr0 & 1n) !== 0n && (cpu.state.systemFlags & EFLAGS.VM) === 0;
}

function storeEnvironment(cpu: Cpu, image: DataView, unit: 2 | 4): void {
  const { state } = cpu;
  const ip = Number(BigInt.asUintN(32, state.get64(STATE.fpuIp)));
  const dp = Number(BigInt.asUintN(32, state.get64(STATE.fpuDp)));
  const opcode = state.get16(STATE.fpuOpcode) & 0x7ff;
  const words = [controlWord(state), statusWord(state), tagWord(state)];
  if (inProtectedMode(cpu)) {
    const code = state.get16(STATE.fpuIpSelector);
    words.push(ip, unit === 4 ? code | (opcode << 16) : code, dp, state.get16(STATE.fpuDpSelector));
  } else {
    const linearIp = linearPointer(ip, state.get16(STATE.fpuIpSelector));
    const linearDp = linearPointer(dp, state.get16(STATE.fpuDpSelector));
    words.push(linearIp & 0xffff, opcode | ((linearIp >>> 16) << 12));
    words.push(linearDp & 0xffff, (linearDp >>> 16) << 12);
  }
  words.forEach((word, i) => {
    if (unit === 2) image.setUint16(i * 2, word & 0xffff, true);
    // Reserved high halves of the first three words and the last read as ones.
    else image.setUint32(i * 4, i < 3 ? (word | 0xffff0000) >>> 0 : fullWord(i, word, cpu), true);
  });
}

/** The last word of the 32-bit layout has ones above the selector in protected mode. */
function fullWord(index: number, word: number, cpu: Cpu): number {
  return index === 6 && inProtectedMode(cpu) ? (word | 0xffff0000) >>> 0 : word >>> 0;
}

function linearPointer(offset: number, selector: number): number {
  return (offset + selector * 16) >>> 0;
}

function loadEnvironment(cpu: Cpu, image: DataView, unit: 2 | 4): void {
  const { state } = cpu;
  const word = (i: number): number =>
    unit === 2 ? image.getUint16(i * 2, true) : image.getUint32(i * 4, true);
  setControlWord(state, word(0) & 0xffff);
  setTagWord(state, word(2) & 0xffff);
  if (inProtectedMode(cpu)) {
    state.set64(STATE.fpuIp, BigInt(word(3)));
    state.set16(STATE.fpuIpSelector, word(4) & 0xffff);
    if (unit === 4) state.set16(STATE.fpuOpcode, (word(4) >>> 16) & 0x7ff);
    state.set64(STATE.fpuDp, BigInt(word(5)));
    state.set16(STATE.fpuDpSelector, word(6) & 0xffff);
  } else {
    state.set64(STATE.fpuIp, BigInt(((word(3) & 0xffff) | ((word(4) >>> 12) << 16)) >>> 0));
    state.set16(STATE.fpuIpSelector, 0);
    state.set16(STATE.fpuOpcode, word(4) & 0x7ff);
    state.set64(STATE.fpuDp, BigInt(((word(5) & 0xffff) | ((word(6) >>> 12) << 16)) >>> 0));
    state.set16(STATE.fpuDpSelector, 0);
  }
  setStatusWord(state, word(1) & 0xffff);
}

function viewOf(image: Uint8Array): DataView {
  return new DataView(image.buffer, image.byteOffset, image.byteLength);
}

/** FNSTENV: stores the environment, then masks all exceptions. */
function fnstenv(cpu: Cpu, address: bigint, wide: number): void {
  const image = new Uint8Array(environmentBytes(unitOf(wide)));
  storeEnvironment(cpu, viewOf(image), unitOf(wide));
  cpu.writeBytes(BigInt.asUintN(64, address), image);
  setControlWord(cpu.state, controlWord(cpu.state) | FPU_EXCEPTIONS);
}

function fldenv(cpu: Cpu, address: bigint, wide: number): void {
  const image = new Uint8Array(environmentBytes(unitOf(wide)));
  cpu.readBytes(BigInt.asUintN(64, address), image);
  loadEnvironment(cpu, viewOf(image), unitOf(wide));
}

/** FNSAVE: the environment and the eight registers in stack order, then FNINIT. */
function fnsave(cpu: Cpu, address: bigint, wide: number): void {
  const head = environmentBytes(unitOf(wide));
  const image = new Uint8Array(head + 80);
  storeEnvironment(cpu, viewOf(image), unitOf(wide));
  for (let i = 0; i < 8; i++) {
    const from = stackOffset(cpu.state, i);
    image.set(cpu.state.u8.subarray(from, from + 10), head + i * 10);
  }
  cpu.writeBytes(BigInt.asUintN(64, address), image);
  initializeFpu(cpu.state);
}

function frstor(cpu: Cpu, address: bigint, wide: number): void {
  const head = environmentBytes(unitOf(wide));
  const image = new Uint8Array(head + 80);
  cpu.readBytes(BigInt.asUintN(64, address), image);
  loadEnvironment(cpu, viewOf(image), unitOf(wide));
  for (let i = 0; i < 8; i++) {
    cpu.state.u8.set(image.subarray(head + i * 10, head + i * 10 + 10), stackOffset(cpu.state, i));
  }
}

export const controlHelpers: Record<string, Helper> = {
  fninit: { params: [], run: (cpu) => initializeFpu(cpu.state) },
  x87Summary: { params: [], run: (cpu) => summarizeExceptions(cpu.state) },
  fnstenv: { params: ['i64', 'i32'], run: fnstenv },
  fldenv: { params: ['i64', 'i32'], run: fldenv },
  fnsave: { params: ['i64', 'i32'], run: fnsave },
  frstor: { params: ['i64', 'i32'], run: frstor },
};
