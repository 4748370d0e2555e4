/** Integer instructions too long or too rare for the intermediate form. */
import type { Cpu, Helper } from '../cpu.ts';
import { type CpuState, EFLAGS } from '../cpu-state.ts';
import { DE, GuestFault } from '../fault.ts';
import { RAX, RBP, RDX, RSP } from '../state.ts';
import { Stack } from '../system/stack.ts';
import { decimalHelpers } from './decimal.ts';

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);

/** The flags that division leaves undefined, as instructions/div.ts sets them. */
function divisionFlags(state: CpuState): void {
  const { ZF, SF, PF, AF } = EFLAGS;
  state.setFlags((state.getFlags() & ~(ZF | SF | PF)) | AF);
}

/** DIV with a dividend of more than 64 bits in RDX:RAX. */
function divideUnsigned128(cpu: Cpu, divisor: bigint): void {
  const { state } = cpu;
  const dividend = (state.gpr(RDX) << 64n) | state.gpr(RAX);
  const by = u64(divisor);
  if (by === 0n || dividend / by >= 1n << 64n) throw new GuestFault(DE);
  state.setGpr(RAX, dividend / by);
  state.setGpr(RDX, dividend % by);
  divisionFlags(state);
}

/** IDIV with a dividend in RDX:RAX that is no sign-extended 64-bit number. */
function divideSigned128(cpu: Cpu, divisor: bigint): void {
  const { state } = cpu;
  const dividend = (s64(state.gpr(RDX)) << 64n) | state.gpr(RAX);
  const by = s64(divisor);
  if (by === 0n) throw new GuestFault(DE);
  const quotient = dividend / by;
  if (quotient !== s64(quotient)) throw new GuestFault(DE);
  state.setGpr(RAX, u64(quotient));
  state.setGpr(RDX, u64(dividend % by));
  divisionFlags(state);
}

/** Writes the low `width` bits of a general register as an instruction does. */
function writeRegister(state: CpuState, index: number, width: number, value: bigint): void {
  const low = BigInt.asUintN(width, value);
  const kept = width === 16 ? state.gpr(index) & ~0xffffn : 0n;
  state.setGpr(index, kept | low);
}

/** PUSHA: all registers in order, the stack pointer as it was before. */
function pushAll(cpu: Cpu, operandSize: number): void {
  const { state } = cpu;
  const stack = Stack.current(cpu);
  for (let index = 0; index < 8; index++) stack.push(operandSize / 8, state.gpr(index));
  stack.commit(state);
}

/** POPA: the reverse, without the stack pointer. */
function popAll(cpu: Cpu, operandSize: number): void {
  const { state } = cpu;
  const stack = Stack.current(cpu);
  const values: bigint[] = [];
  for (let index = 7; index >= 0; index--) values[index] = stack.pop(operandSize / 8);
  for (const [index, value] of values.entries()) {
    if (index !== RSP) writeRegister(state, index, operandSize, value);
  }
  stack.commit(state);
}

/** ENTER: `immediate` is the frame's bytes, and the nesting level from bit 16 on. SDM Vol. 2A "ENTER". */
function enter(cpu: Cpu, immediate: number, operandSize: number): void {
  const { state } = cpu;
  const bytes = operandSize / 8;
  const level = (immediate >> 16) & 31;
  const stack = Stack.current(cpu);
  stack.push(bytes, state.gpr(RBP));
  // With a 16-bit stack the rest of ESP is part of a 32-bit frame pointer.
  const frame = stack.width === 16 ? (state.gpr(RSP) & ~0xffffn) | stack.pointer : stack.pointer;
  // The enclosing frames' pointers, read below the old rBP.
  let outer = state.gpr(RBP);
  for (let i = 1; i < level; i++) {
    outer = BigInt.asUintN(stack.width, outer - BigInt(bytes));
    stack.push(bytes, cpu.readLinear(stack.linear(outer, bytes, false), bytes));
  }
  if (level > 0) stack.push(bytes, frame);
  stack.pointer = BigInt.asUintN(stack.width, stack.pointer - BigInt(immediate & 0xffff));
  // A write at the new top of the stack must be possible, though none happens.
  cpu.translate(stack.linear(stack.pointer, bytes, true), 'write');
  writeRegister(state, RBP, operandSize, frame);
  stack.commit(state);
}

/** CRC-32C, bit-reflected: polynomial 1EDC6F41H. */
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f63b78);
  return crc;
});

function crc32c(_cpu: Cpu, crc: number, low: number, high: number, bytes: number): number {
  for (let i = 0; i < bytes; i++) {
    const byte = (i < 4 ? low >>> (8 * i) : high >>> (8 * i - 32)) & 0xff;
    crc = (crc >>> 8) ^ (CRC32C_TABLE[(crc ^ byte) & 0xff] as number);
  }
  return crc | 0;
}

export const integerHelpers: Record<string, Helper> = {
  divideUnsigned128: { params: ['i64'], run: divideUnsigned128 },
  divideSigned128: { params: ['i64'], run: divideSigned128 },
  pushAll: { params: ['i32', 'i32'], run: pushAll },
  popAll: { params: ['i32', 'i32'], run: popAll },
  enter: { params: ['i32', 'i32', 'i32'], run: enter },
  crc32c: { params: ['i32', 'i32', 'i32', 'i32'], result: 'i32', run: crc32c },
  ...decimalHelpers,
};
