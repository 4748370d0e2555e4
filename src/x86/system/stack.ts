/** The stack as helpers use it, whatever its width. Stack limits are not checked. */
import type { Cpu, Privilege } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { RSP, SS } from '../state.ts';
import { ATTRIBUTE } from './descriptor.ts';
import { in64BitMode } from './mode.ts';

export type StackWidth = 16 | 32 | 64;

/** Width of the stack pointer in use. */
export function stackWidth(state: CpuState): StackWidth {
  if (in64BitMode(state)) return 64;
  return (state.segmentAttributes(SS) & ATTRIBUTE.DB) !== 0 ? 32 : 16;
}

/**
 * A stack being pushed to or popped from. Nothing in the vCPU changes until its `pointer` is written
 * back: a fault in the middle leaves only bytes below the stack pointer changed.
 */
export class Stack {
  pointer: bigint;
  readonly base: bigint;
  readonly width: StackWidth;
  readonly privilege: Privilege;
  readonly #cpu: Cpu;

  constructor(
    cpu: Cpu,
    base: bigint,
    pointer: bigint,
    width: StackWidth,
    privilege: Privilege = 'current',
  ) {
    this.#cpu = cpu;
    this.base = base;
    this.width = width;
    this.privilege = privilege;
    this.pointer = BigInt.asUintN(width, pointer);
  }

  /** The stack in use. */
  static current(cpu: Cpu): Stack {
    const { state } = cpu;
    const width = stackWidth(state);
    const base = width === 64 ? 0n : state.segmentBase(SS);
    return new Stack(cpu, base, state.gpr(RSP), width);
  }

  push(bytes: number, value: bigint | number): void {
    this.pointer = BigInt.asUintN(this.width, this.pointer - BigInt(bytes));
    const stored = BigInt.asUintN(bytes * 8, BigInt(value));
    this.#cpu.writeLinear(this.#linear(), bytes, stored, this.privilege);
  }

  pop(bytes: number): bigint {
    const value = this.#cpu.readLinear(this.#linear(), bytes, this.privilege);
    this.skip(bytes);
    return value;
  }

  skip(bytes: number): void {
    this.pointer = BigInt.asUintN(this.width, this.pointer + BigInt(bytes));
  }

  /** Writes the pointer to rSP; a 16-bit stack keeps the upper bits of ESP. */
  commit(state: CpuState): void {
    const keep = this.width === 16 ? state.gpr(RSP) & ~0xffffn : 0n;
    state.setGpr(RSP, keep | this.pointer);
  }

  #linear(): bigint {
    if (this.width === 64) return this.pointer;
    return BigInt.asUintN(32, this.base + this.pointer);
  }
}
