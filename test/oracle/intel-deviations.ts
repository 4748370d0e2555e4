import { BR, GP, PF, SSF as SS, UD, XM } from '../../src/x86/fault.ts';
import type { Outcome } from './case.ts';
import { type Decoded, decodeAt } from './decoded.ts';
import { isAtEnd, isX87Store } from './deviations.ts';
import type { GeneratedCase } from './generate.ts';
import { ALL_FLAGS } from './knowledge.ts';
import { WIRE } from './layout.ts';
import type { ProcessorState } from './processor-state.ts';
import { isPrefix } from './raw.ts';

/*
 * Differences from Intel's processors that are accepted: AMD's, which Vivarium follows, do what Vivarium does. On
 * a host by AMD none of this applies.
 */

const FSW_ES = 0x80;
const MXCSR_FLAGS = 0x3f;
const MXCSR_UE = 0x10;
const MXCSR_PE = 0x20;
const FSW_TOP = 0x3800;
const RCX = 1;
const RSP = 4;
const RSI = 6;
const RDI = 7;

/** Why `each` may end otherwise on Intel's processors as a whole, if so. */
export function intelDeviation(
  each: GeneratedCase,
  expected: Outcome,
  actual: Outcome,
): string | undefined {
  const name = stoppedAt(each, expected)?.template.instruction.name ?? '';
  if (expected.vector === UD && /^vperm(q|pd)$/.test(name)) {
    return 'AMD ignores VEX.W of VPERMQ and VPERMPD, Intel wants it set';
  }
  if (expected.vector === GP && /^sha(1|256)/.test(name)) {
    return 'AMD does not ask for aligned operands of the SHA instructions';
  }
  if (each.bits === 64 && each.instructions.some(isShortBranch)) {
    return 'AMD takes 66 before a near branch of 64-bit code for a size of 16 bits, Intel ignores it';
  }
  const samePlace = expected.state.rip === actual.state.rip;
  if (/^(cmps|movs)b?$/.test(name) && samePlace && faults(expected) && faults(actual)) {
    return 'which of the operands of CMPS and MOVS is looked at first is up to the processor';
  }
  if (name === 'bound' && samePlace && expected.vector === BR && faults(actual)) {
    return 'Intel compares with the lower bound before it reads the upper';
  }
  if (expected.vector === XM && faults(actual) && name === 'vcvtps2ph') {
    return 'Intel raises an unmasked exception of the conversion before the fault of the store';
  }
  if (each.instructions.some((bytes) => shiftsTooFar(bytes, each))) {
    return 'the result of SHLD and SHRD is not defined when the count exceeds the operand';
  }
  if (each.main.label === '(undefined)' && actual.vector === UD) {
    const [opcode, next, third] = withoutPrefixes(each.code, each.bits);
    if (opcode === 0x0f && next === 0x0d && (third as number) >= 0xc0) {
      return 'PREFETCH of a register is undefined on AMD, and does nothing on Intel';
    }
    if (each.bits === 32 && opcode === 0xc4 && isWideMove(each.code)) {
      return 'AMD refuses VEX.W of moves to and from general registers outside 64-bit mode, Intel ignores it';
    }
  }
  if (each.bits === 64 && each.instructions.some(isExchangeWithPause)) {
    return 'F3 90 with REX.B is XCHG on AMD, and PAUSE on Intel';
  }
  if (
    each.bits === 32 &&
    faults(actual) &&
    expected.vector === PF &&
    isAtEnd(each, expected.faultAddress)
  ) {
    return 'an operand across 4 GiB wraps around on Intel, whatever its segment';
  }
  const pending = (expected.state.get16(WIRE.fsw) & FSW_ES) !== 0;
  if (pending && faults(actual) && isX87Store(each)) {
    return 'an x87 store that an unmasked exception suppresses does not look at its memory operand';
  }
  const dotProduct = each.templates.some(({ instruction }) => /^v?dpp[sd]$/.test(instruction.name));
  if (dotProduct && each.templates.length > 1 && samePlace && expected.vector === actual.vector) {
    return 'DPPS adds in another order, and the instructions behind work with another of its NaNs';
  }
  return undefined;
}

/** Makes `got` equal to `want`, the state in which `each` ends on Intel's processors, where only they differ. */
export function forgiveIntel(
  each: GeneratedCase,
  expected: Outcome,
  want: ProcessorState,
  got: ProcessorState,
): void {
  if (each.templates.length === 1) forgiveNans(each, want, got);
  if (each.instructions.some((bytes) => countsNarrowly(bytes, each.bits))) {
    for (const register of [RCX, RSI, RDI]) forgiveUpperHalf(want, got, register);
  }
  // Intel finds an unmasked underflow inexact by the denormal result, AMD by the one before it was denormalized
  const underflows = expected.vector === XM && (want.mxcsr & got.mxcsr & MXCSR_UE) !== 0;
  if (underflows && stoppedAt(each, expected)?.template.instruction.name === 'vcvtps2ph') {
    got.mxcsr |= want.mxcsr & MXCSR_PE;
  }
  if (!faults(expected)) return;
  const stopped = stoppedAt(each, expected);
  const has = (attribute: 'mmx' | 'vsib') => stopped?.template.form.attributes.includes(attribute);
  const name = stopped?.template.instruction.name ?? '';
  // SDM Vol. 2B "REP": the flags are what they were before the instruction
  if (stopped?.repeated === true && /^(cmps|scas)/.test(name)) {
    got.rflags = (got.rflags & ~ALL_FLAGS) | (want.rflags & ALL_FLAGS);
  }
  // Intel switches to MMX before the operand faults
  if (has('mmx')) for (const state of [want, got]) enterMmx(state);
  // Intel reports what the conversion found before the store faults
  if (name === 'vcvtps2ph') {
    got.mxcsr = (got.mxcsr & ~MXCSR_FLAGS) | (want.mxcsr & MXCSR_FLAGS);
  }
  if (has('vsib')) forgiveGather(each, Number(want.rip) - each.codeAddress, want, got);
}

/** `each` with what Intel's processors have written when it faults, and AMD's have not, left open. */
export function asOnIntel(each: GeneratedCase, expected: Outcome): GeneratedCase {
  const name = stoppedAt(each, expected)?.template.instruction.name;
  const open = (to: bigint, bytes: bigint): GeneratedCase => {
    return { ...each, undefinedMemory: [...each.undefinedMemory, [to - bytes, to]] };
  };
  // CALL pushes the return address before it looks at its target
  if (expected.vector === GP && name === 'call') return open(expected.state.gpr(RSP), 8n);
  // FSTP of 80 bits and FBSTP across pages store into the first before the second faults
  if (expected.vector === PF && (name === 'fstp' || name === 'fbstp'))
    return open(expected.faultAddress, 10n);
  return each;
}

/** The instruction at which `each` ended, when it is one of its own. */
function stoppedAt(each: GeneratedCase, { state }: Outcome): Decoded | undefined {
  const at = Number(state.rip) - each.codeAddress;
  return at >= 0 && at < each.code.length ? decodeAt(each.code, at, each.bits) : undefined;
}

function faults({ vector }: Outcome): boolean {
  return vector === PF || vector === GP || vector === SS;
}

/** A near branch, call or return whose operand size is 16 bits. */
function isShortBranch(bytes: Uint8Array): boolean {
  const decoded = decodeAt(bytes, 0, 64);
  if (decoded?.operandSize !== 16) return false;
  return /^(j|call|ret|loop)/.test(decoded.template.instruction.name);
}

function isExchangeWithPause(bytes: Uint8Array): boolean {
  const decoded = decodeAt(bytes, 0, 64);
  if (decoded?.template.instruction.name !== 'xchg') return false;
  return bytes[decoded.length - 1] === 0x90 && bytes.subarray(0, decoded.length).includes(0xf3);
}

function withoutPrefixes(bytes: Uint8Array, bits: 32 | 64): Uint8Array {
  return bytes.subarray(bytes.findIndex((byte) => !isPrefix(byte, bits)));
}

/** VMOVQ, VPEXTRQ or VPINSRQ: with VEX.W clear, a doubleword is moved. */
function isWideMove(bytes: Uint8Array): boolean {
  const vex = bytes.indexOf(0xc4);
  const narrow = bytes.slice(vex, vex + 15);
  if ((narrow[2] as number) < 0x80) return false;
  narrow[2] = (narrow[2] as number) & 0x7f;
  return /^v(movd|pextrd|pinsrd)$/.test(decodeAt(narrow, 0, 32)?.template.instruction.name ?? '');
}

/** SHLD or SHRD of 16 bits by more than 16. */
function shiftsTooFar(bytes: Uint8Array, { bits, templates, state }: GeneratedCase): boolean {
  const decoded = decodeAt(bytes, 0, bits);
  if (decoded?.operandSize !== 16) return false;
  const { instruction, letters } = decoded.template;
  if (!/^sh[lr]d$/.test(instruction.name)) return false;
  const immediate = letters.at(-1)?.text === 'Ib';
  if (!immediate && templates.length > 1) return true;
  const count = immediate ? (bytes[decoded.length - 1] as number) : Number(state.gpr(RCX) & 0xffn);
  return (count & 31) > 16;
}

/** A repeated string instruction of 64-bit code with 32-bit addresses: Intel clears upper halves early. */
function countsNarrowly(bytes: Uint8Array, bits: 32 | 64): boolean {
  const decoded = bits === 64 ? decodeAt(bytes, 0, bits) : undefined;
  return decoded?.repeated === true && decoded.addressSize === 32;
}

function forgiveUpperHalf(want: ProcessorState, got: ProcessorState, register: number): void {
  const upper = want.gpr(register) & ~0xffff_ffffn;
  if (upper === 0n) got.setGpr(register, got.gpr(register) & 0xffff_ffffn);
}

/** DPPS and DPPD: the order of additions decides which of several NaNs arrives. */
function forgiveNans(each: GeneratedCase, want: ProcessorState, got: ProcessorState): void {
  for (const { instruction } of each.templates) {
    const size = /^v?dpp([sd])$/.exec(instruction.name)?.[1];
    if (size === undefined) continue;
    const bytes = size === 's' ? 4 : 8;
    const read = ({ view }: ProcessorState, at: number) =>
      size === 's' ? view.getFloat32(at, true) : view.getFloat64(at, true);
    for (let at = WIRE.ymm; at < WIRE.ymm + 512; at += bytes) {
      if (!Number.isNaN(read(want, at)) || !Number.isNaN(read(got, at))) continue;
      got.bytes.set(want.bytes.subarray(at, at + bytes), at);
    }
  }
}

/** Puts the x87 registers into the order of their numbers, all in use: what an MMX instruction does. */
function enterMmx(state: ProcessorState): void {
  const status = state.get16(WIRE.fsw);
  const top = (status & FSW_TOP) >> 11;
  const registers = state.bytes.slice(WIRE.st, WIRE.st + 128);
  for (let i = 0; i < 8; i++) {
    state.bytes.set(registers.subarray(16 * i, 16 * i + 16), WIRE.st + 16 * ((top + i) & 7));
  }
  state.set16(WIRE.fsw, status & ~FSW_TOP);
  state.set16(WIRE.ftw, 0xff);
}

/**
 * Before the first element, Intel's gathers fill each element of the mask with its sign, and clear the upper
 * halves when the vectors have 128 bits.
 */
function forgiveGather(
  { code, bits }: GeneratedCase,
  at: number,
  want: ProcessorState,
  got: ProcessorState,
): void {
  const vex = code.indexOf(0xc4, at);
  const [rxb, wvlp, , modrm] = code.subarray(vex + 1) as unknown as [
    number,
    number,
    number,
    number,
  ];
  const mask = WIRE.ymm + 32 * ((~wvlp >> 3) & (bits === 64 ? 15 : 7));
  const destination = WIRE.ymm + 32 * (((modrm >> 3) & 7) | ((~rxb >> 4) & 8));
  const take = (from: number, bytes: number) =>
    got.bytes.set(want.bytes.subarray(from, from + bytes), from);
  const bytes = (wvlp & 0x80) === 0 ? 4 : 8;
  for (let lane = mask; lane < mask + 32; lane += bytes) {
    const sign = (got.bytes[lane + bytes - 1] as number) >> 7 === 0 ? 0 : 0xff;
    if (want.bytes.subarray(lane, lane + bytes).every((byte) => byte === sign)) take(lane, bytes);
  }
  if ((wvlp & 4) !== 0) return;
  for (const register of [mask, destination]) {
    const upper = want.bytes.subarray(register + 16, register + 32);
    if (upper.every((byte) => byte === 0)) take(register + 16, 16);
  }
}
