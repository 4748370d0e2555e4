/** Loads, stores, exchanges and constants: the x87 data transfer group. SDM Vol. 1, 8.3.3. */
import type { Cpu, Helper } from '../cpu.ts';
import { fromPackedDecimal, loadedFloat, toPackedDecimal } from './convert.ts';
import { type Float80, INDEFINITE, pack80, unpack80, zero80 } from './float80.ts';
import { bitsOf, indefiniteBits, KIND_F64, kindBytes, operandOf } from './memory-kinds.ts';
import { round80 } from './rounding.ts';
import { FpuStack } from './stack.ts';
import { FPU_C1, FPU_IE, FPU_OE, FPU_UE } from './words.ts';

/** True when a push has room; raises the stack fault and pushes its masked answer otherwise. */
function roomToPush(stack: FpuStack): boolean {
  if (stack.isEmpty(7)) return true;
  if (stack.overflow()) stack.push(INDEFINITE);
  return false;
}

function pushExact(stack: FpuStack, value: Float80): void {
  stack.setConditions(0, FPU_C1);
  stack.push(value);
}

/** FLD m32/m64, FILD: `low` and `high` are the bits the instruction loaded. */
function load(cpu: Cpu, kind: number, low: number, high: number): void {
  const stack = new FpuStack(cpu.state);
  if (!roomToPush(stack)) return;
  const env = stack.environment();
  const operand = operandOf(kind, low, high);
  const value = kind <= KIND_F64 ? loadedFloat(env, operand) : pack80(operand);
  stack.settle(env);
  if (env.masked(env.flags & FPU_IE)) stack.push(value);
}

function readTenBytes(cpu: Cpu, address: bigint): DataView {
  const bytes = new Uint8Array(10);
  cpu.readBytes(BigInt.asUintN(64, address), bytes);
  return new DataView(bytes.buffer);
}

/** FLD m80: any bits, no exception but the stack's. */
function load80(cpu: Cpu, address: bigint): void {
  const view = readTenBytes(cpu, address);
  const stack = new FpuStack(cpu.state);
  if (!roomToPush(stack)) return;
  const high = view.getUint16(8, true);
  pushExact(stack, {
    sign: high >> 15,
    exponent: high & 0x7fff,
    significand: view.getBigUint64(0, true),
  });
}

/** FBLD: packed decimal. */
function loadDecimal(cpu: Cpu, address: bigint): void {
  const view = readTenBytes(cpu, address);
  const stack = new FpuStack(cpu.state);
  if (!roomToPush(stack)) return;
  const bits = (BigInt(view.getUint16(8, true)) << 64n) | view.getBigUint64(0, true);
  pushExact(stack, fromPackedDecimal(bits));
}

/** FLD ST(i). */
function loadRegister(cpu: Cpu, index: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(index)) {
    if (stack.underflow()) stack.push(INDEFINITE);
    return;
  }
  if (!roomToPush(stack)) return;
  pushExact(stack, stack.read(index));
}

/** Constants of FLD1 .. FLDZ in opcode order: 128 significant bits and the exponent of the first. */
const CONSTANTS: readonly (readonly [bigint, number])[] = [
  [0x80000000000000000000000000000000n, 0], // 1
  [0xd49a784bcd1b8afe492bf6ff4dafdb4dn, 1], // log2 10
  [0xb8aa3b295c17f0bbbe87fed0691d3e89n, 0], // log2 e
  [0xc90fdaa22168c234c4c6628b80dc1cd1n, 1], // pi
  [0x9a209a84fbcff7988f8959ac0b7c9178n, -2], // log10 2
  [0xb17217f7d1cf79abc9e3b39803f2f6afn, -1], // ln 2
];

/** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: rounded by RC, no exception. */
function loadConstant(cpu: Cpu, which: number): void {
  const stack = new FpuStack(cpu.state);
  if (!roomToPush(stack)) return;
  const constant = CONSTANTS[which];
  if (constant === undefined) {
    pushExact(stack, zero80(0));
    return;
  }
  const [significand, exponent] = constant;
  pushExact(stack, round80(stack.environment(), 0, significand, exponent - 127));
}

/** FST, FSTP, FIST, FISTP, FISTTP to memory. */
function store(cpu: Cpu, kind: number, address: bigint, pops: number): void {
  const stack = new FpuStack(cpu.state);
  const env = stack.environment();
  const at = BigInt.asUintN(64, address);
  if (stack.isEmpty(0)) {
    const masked = (env.masks & 1) !== 0;
    if (masked) cpu.writeLinear(at, kindBytes(kind), indefiniteBits(env, kind));
    stack.underflow();
    if (masked) stack.pop(pops);
    return;
  }
  const bits = bitsOf(env, kind, stack.operand(0));
  const stored = !env.blocked && env.masked(env.flags & (FPU_OE | FPU_UE));
  if (stored) cpu.writeLinear(at, kindBytes(kind), bits);
  stack.settle(env);
  if (stored) stack.pop(pops);
}

function writeTenBytes(cpu: Cpu, address: bigint, bits: bigint): void {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, bits), true);
  view.setUint16(8, Number(bits >> 64n), true);
  cpu.writeBytes(BigInt.asUintN(64, address), bytes);
}

function bits80(value: Float80): bigint {
  return (BigInt((value.sign << 15) | value.exponent) << 64n) | value.significand;
}

/** FSTP m80: the register's bits as they are. */
function store80(cpu: Cpu, address: bigint): void {
  const stack = new FpuStack(cpu.state);
  const empty = stack.isEmpty(0);
  if (empty && (stack.environment().masks & 1) === 0) {
    stack.underflow();
    return;
  }
  writeTenBytes(cpu, address, bits80(empty ? INDEFINITE : stack.read(0)));
  if (empty) stack.underflow();
  else stack.setConditions(0, FPU_C1);
  stack.pop();
}

/** FBSTP. */
function storeDecimal(cpu: Cpu, address: bigint): void {
  const stack = new FpuStack(cpu.state);
  const env = stack.environment();
  const empty = stack.isEmpty(0);
  if (empty && (env.masks & 1) === 0) {
    stack.underflow();
    return;
  }
  const bits = toPackedDecimal(env, empty ? unpack80(INDEFINITE) : stack.operand(0));
  if (env.blocked) {
    stack.settle(env);
    return;
  }
  writeTenBytes(cpu, address, bits);
  if (empty) stack.underflow();
  else stack.settle(env);
  stack.pop();
}

/** FST ST(i), FSTP ST(i): a copy, no exception but the stack's. */
function storeRegister(cpu: Cpu, index: number, pops: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0)) {
    if (!stack.underflow()) return;
    stack.write(index, INDEFINITE);
  } else {
    stack.setConditions(0, FPU_C1);
    stack.write(index, stack.read(0));
  }
  stack.pop(pops);
}

/** D9 D8+i, an alias of FSTP ST(i) that pops an empty register without a stack fault or a copy. */
function storeRegisterQuietly(cpu: Cpu, index: number): void {
  const stack = new FpuStack(cpu.state);
  stack.setConditions(0, FPU_C1);
  if (!stack.isEmpty(0)) stack.write(index, stack.read(0));
  stack.pop();
}

/** FXCH ST(i). Masked, an empty register counts as the real indefinite. */
function exchange(cpu: Cpu, index: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0) || stack.isEmpty(index)) {
    if (!stack.underflow()) return;
    if (stack.isEmpty(0)) stack.write(0, INDEFINITE);
    if (stack.isEmpty(index)) stack.write(index, INDEFINITE);
  } else {
    stack.setConditions(0, FPU_C1);
  }
  const first = stack.read(0);
  stack.write(0, stack.read(index));
  stack.write(index, first);
}

/** FCMOVcc ST(0), ST(i): `condition` is 0 or 1. C1 stays. */
function conditionalMove(cpu: Cpu, condition: number, index: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0) || stack.isEmpty(index)) {
    if (stack.underflow()) stack.write(0, INDEFINITE);
    return;
  }
  if (condition !== 0) stack.write(0, stack.read(index));
}

/** FFREE ST(i); FFREEP (DF C0+i) also moves the top. Both clear C1, as AMD's processors do. */
function free(cpu: Cpu, index: number, pops: number): void {
  const stack = new FpuStack(cpu.state);
  stack.setConditions(0, FPU_C1);
  stack.free(index);
  stack.pop(pops);
}

export const moveHelpers: Record<string, Helper> = {
  x87Load: { params: ['i32', 'i32', 'i32'], run: load },
  x87Load80: { params: ['i64'], run: load80 },
  x87LoadDecimal: { params: ['i64'], run: loadDecimal },
  x87LoadRegister: { params: ['i32'], run: loadRegister },
  x87LoadConstant: { params: ['i32'], run: loadConstant },
  x87Store: { params: ['i32', 'i64', 'i32'], run: store },
  x87Store80: { params: ['i64'], run: store80 },
  x87StoreDecimal: { params: ['i64'], run: storeDecimal },
  x87StoreRegister: { params: ['i32', 'i32'], run: storeRegister },
  x87StoreRegisterQuietly: { params: ['i32'], run: storeRegisterQuietly },
  x87Exchange: { params: ['i32'], run: exchange },
  x87ConditionalMove: { params: ['i32', 'i32'], run: conditionalMove },
  x87Free: { params: ['i32', 'i32'], run: free },
};
