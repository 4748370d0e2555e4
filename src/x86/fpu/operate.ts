/** Arithmetic and comparison helpers over the register stack. SDM Vol. 1, 8.3.5 and 8.3.6. */
import type { Cpu, Helper } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { add80, divide80, multiply80, squareRoot80 } from './arithmetic.ts';
import { compare80, EXAMINED_EMPTY, examine80, UNORDERED } from './compare.ts';
import { roundToIntegral } from './convert.ts';
import type { Environment } from './environment.ts';
import { type Float80, INDEFINITE, type Operand80, unpack80, zero80 } from './float80.ts';
import { operandOf } from './memory-kinds.ts';
import { extract80, type Remainder, remainder80, scale80 } from './remainder.ts';
import { FpuStack } from './stack.ts';
import { FPU_C0, FPU_C1, FPU_C2, FPU_C3 } from './words.ts';

/** Operations of the D8 and DC groups, numbered as their ModRM.reg field. */
export const OP_ADD = 0;
export const OP_MUL = 1;
export const OP_SUB = 4;
export const OP_SUBR = 5;
export const OP_DIV = 6;
export const OP_DIVR = 7;

function operate(env: Environment, op: number, left: Operand80, right: Operand80): Float80 {
  switch (op) {
    case OP_ADD:
      return add80(env, left, right, 0);
    case OP_MUL:
      return multiply80(env, left, right);
    case OP_SUB:
      return add80(env, left, right, 1);
    case OP_SUBR:
      return add80(env, right, left, 1);
    case OP_DIV:
      return divide80(env, left, right);
    default:
      return divide80(env, right, left);
  }
}

/** ST(destination) ← ST(destination) op ST(source), then pops. */
function binary(cpu: Cpu, op: number, destination: number, source: number, pops: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(destination) || stack.isEmpty(source)) {
    if (!stack.underflow()) return;
    stack.write(destination, INDEFINITE);
    stack.pop(pops);
    return;
  }
  const env = stack.environment();
  const result = operate(env, op, stack.operand(destination), stack.operand(source));
  if (!stack.settle(env)) return;
  stack.write(destination, result);
  stack.pop(pops);
}

/** ST(0) ← ST(0) op memory operand. */
function binaryMemory(cpu: Cpu, op: number, kind: number, low: number, high: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0)) {
    if (stack.underflow()) stack.write(0, INDEFINITE);
    return;
  }
  const env = stack.environment();
  const result = operate(env, op, stack.operand(0), operandOf(kind, low, high));
  if (stack.settle(env)) stack.write(0, result);
}

/** FCOM, FUCOM and their popping forms. */
function compare(cpu: Cpu, index: number, quietAllowed: number, pops: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0) || stack.isEmpty(index)) {
    const masked = stack.underflow();
    stack.setConditions(UNORDERED);
    if (masked) stack.pop(pops);
    return;
  }
  compareWith(stack, stack.operand(index), quietAllowed !== 0, pops);
}

function compareWith(stack: FpuStack, right: Operand80, quietAllowed: boolean, pops: number): void {
  const env = stack.environment();
  const conditions = compare80(env, stack.operand(0), right, quietAllowed);
  if (stack.settleConditions(env, conditions)) stack.pop(pops);
}

/** FCOM m32/m64, FICOM. */
function compareMemory(cpu: Cpu, kind: number, low: number, high: number, pops: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0)) {
    const masked = stack.underflow();
    stack.setConditions(UNORDERED);
    if (masked) stack.pop(pops);
    return;
  }
  compareWith(stack, operandOf(kind, low, high), false, pops);
}

/**
 * FCOMI, FUCOMI: the result goes to ZF, PF and CF; OF, SF and AF are cleared. C1 stays, as on AMD's
 * processors (Intel's clear it).
 */
function compareToFlags(cpu: Cpu, index: number, quietAllowed: number, pops: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0) || stack.isEmpty(index)) {
    setFlags(cpu, UNORDERED);
    if (stack.underflow()) stack.pop(pops);
    return;
  }
  const env = stack.environment();
  const result = compare80(env, stack.operand(0), stack.operand(index), quietAllowed !== 0);
  setFlags(cpu, result);
  if (stack.settleFlags(env)) stack.pop(pops);
}

function setFlags(cpu: Cpu, conditions: number): void {
  const { state } = cpu;
  const arithmetic = EFLAGS.CF | EFLAGS.PF | EFLAGS.AF | EFLAGS.ZF | EFLAGS.SF | EFLAGS.OF;
  let flags = state.getFlags() & ~arithmetic;
  if ((conditions & FPU_C0) !== 0) flags |= EFLAGS.CF;
  if ((conditions & FPU_C2) !== 0) flags |= EFLAGS.PF;
  if ((conditions & FPU_C3) !== 0) flags |= EFLAGS.ZF;
  state.setFlags(flags);
}

const POSITIVE_ZERO = unpack80(zero80(0));

function test(cpu: Cpu): void {
  const stack = new FpuStack(cpu.state);
  if (!stack.isEmpty(0)) {
    compareWith(stack, POSITIVE_ZERO, false, 0);
    return;
  }
  stack.underflow();
  stack.setConditions(UNORDERED);
}

function examine(cpu: Cpu): void {
  const stack = new FpuStack(cpu.state);
  const value = stack.read(0);
  if (stack.isEmpty(0)) {
    stack.setConditions(EXAMINED_EMPTY | (value.sign === 1 ? FPU_C1 : 0));
    return;
  }
  stack.setConditions(examine80(value));
}

/** FCHS and FABS: only the sign bit changes, of whatever is there. */
function changeSign(cpu: Cpu, absolute: number): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0)) {
    if (stack.underflow()) stack.write(0, INDEFINITE);
    return;
  }
  const value = stack.read(0);
  stack.setConditions(0, FPU_C1);
  stack.write(0, { ...value, sign: absolute !== 0 ? 0 : value.sign ^ 1 });
}

type Unary = (env: Environment, value: Operand80) => Float80;
type Binary = (env: Environment, first: Operand80, second: Operand80) => Float80;

/** A helper for ST(0) ← f(ST(0)). */
export function unaryHelper(apply: Unary): Helper {
  return {
    params: [],
    run: (cpu) => {
      const stack = new FpuStack(cpu.state);
      if (stack.isEmpty(0)) {
        if (stack.underflow()) stack.write(0, INDEFINITE);
        return;
      }
      const env = stack.environment();
      const result = apply(env, stack.operand(0));
      if (stack.settle(env)) stack.write(0, result);
    },
  };
}

/** A helper for ST(destination) ← f(ST(0), ST(1)), popping `pops` times afterwards. */
export function binaryHelper(apply: Binary, destination: number, pops: number): Helper {
  return {
    params: [],
    run: (cpu) => {
      const stack = new FpuStack(cpu.state);
      let result = INDEFINITE;
      if (stack.isEmpty(0) || stack.isEmpty(1)) {
        if (!stack.underflow()) return;
      } else {
        const env = stack.environment();
        result = apply(env, stack.operand(0), stack.operand(1));
        if (!stack.settle(env)) return;
      }
      stack.write(destination, result);
      stack.pop(pops);
    },
  };
}

function remainderHelper(nearest: boolean): Helper {
  return {
    params: [],
    run: (cpu) => {
      const stack = new FpuStack(cpu.state);
      if (stack.isEmpty(0) || stack.isEmpty(1)) {
        stack.setConditions(0, FPU_C2);
        if (stack.underflow()) stack.write(0, INDEFINITE);
        return;
      }
      const env = stack.environment();
      const result: Remainder = remainder80(env, stack.operand(0), stack.operand(1), nearest);
      const changed = env.blocked ? FPU_C1 | FPU_C2 : result.changed;
      const conditions = env.blocked ? 0 : result.conditions;
      if (stack.settleConditions(env, conditions, changed)) stack.write(0, result.value);
    },
  };
}

/** FXTRACT: ST(0) becomes the exponent, then the significand is pushed. */
function extract(cpu: Cpu): void {
  const stack = new FpuStack(cpu.state);
  if (!stackFits(stack)) return;
  const env = stack.environment();
  const { exponent, significand } = extract80(env, stack.operand(0));
  if (!stack.settle(env)) return;
  stack.write(0, exponent);
  stack.push(significand);
}

/**
 * Checks an operation that takes ST(0) and pushes one value: false after a stack fault, whose masked
 * answer (two indefinites) is then in place.
 */
export function stackFits(stack: FpuStack): boolean {
  const empty = stack.isEmpty(0);
  if (!empty && stack.isEmpty(7)) return true;
  if (empty ? stack.underflow() : stack.overflow()) {
    stack.write(0, INDEFINITE);
    stack.push(INDEFINITE);
  }
  return false;
}

export const operateHelpers: Record<string, Helper> = {
  x87Binary: { params: ['i32', 'i32', 'i32', 'i32'], run: binary },
  x87BinaryMemory: { params: ['i32', 'i32', 'i32', 'i32'], run: binaryMemory },
  x87Compare: { params: ['i32', 'i32', 'i32'], run: compare },
  x87CompareMemory: { params: ['i32', 'i32', 'i32', 'i32'], run: compareMemory },
  x87CompareToFlags: { params: ['i32', 'i32', 'i32'], run: compareToFlags },
  x87Test: { params: [], run: test },
  x87Examine: { params: [], run: examine },
  x87ChangeSign: { params: ['i32'], run: changeSign },
  x87SquareRoot: unaryHelper(squareRoot80),
  x87RoundToInteger: unaryHelper(roundToIntegral),
  x87Scale: binaryHelper(scale80, 0, 0),
  x87Remainder: remainderHelper(false),
  x87RemainderNearest: remainderHelper(true),
  x87Extract: { params: [], run: extract },
};
