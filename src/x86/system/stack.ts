/** The stack as helpers use it, whatever its width. Accesses beyond its segment are #SS. */
import type { Cpu, Privilege } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { GuestFault, SSF } from '../fault.ts';
import { segmentAllows } from '../segment-limits.ts';
import { RSP, SS, STATE } from '../state.ts';
import { ATTRIBUTE, attributesOf, baseOf, type Descriptor, limitOf } from './descriptor.ts';
import { in64BitMode, inRealMode, isCanonical } from './mode.ts';

export type StackWidth = 16 | 32 | 64;

/** Width of the stack pointer in use. */
export function stackWidth(state: CpuState): StackWidth {
  if (in64BitMode(state)) return 64;
  return (state.segmentAttributes(SS) & ATTRIBUTE.DB) !== 0 ? 32 : 16;
}

/** The segment a stack lies in; none in 64-bit mode. */
interface StackSegment {
  readonly base: bigint;
  readonly attributes: number;
  readonly limit: number;
}

const NO_SEGMENT: StackSegment = { base: 0n, attributes: 0, limit: 0 };

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
  readonly #segment: StackSegment;
  readonly #errorCode: number;

  private constructor(
    cpu: Cpu,
    segment: StackSegment,
    pointer: bigint,
    width: StackWidth,
    privilege: Privilege,
    errorCode: number,
  ) {
    this.#cpu = cpu;
    this.#segment = segment;
    this.#errorCode = errorCode;
    this.base = segment.base;
    this.width = width;
    this.privilege = privilege;
    this.pointer = BigInt.asUintN(width, pointer);
  }

  /** The stack in use. `errorCode` is that of #SS: the EXT bit while an event is delivered. */
  static current(cpu: Cpu, errorCode = 0): Stack {
    const { state } = cpu;
    const width = stackWidth(state);
    const segment =
      width === 64
        ? NO_SEGMENT
        : {
            base: state.segmentBase(SS),
            attributes: state.segmentAttributes(SS),
            limit: state.segmentLimit(SS),
          };
    return new Stack(cpu, segment, state.gpr(RSP), width, 'current', errorCode);
  }

  /** A stack of 64-bit mode. */
  static long(cpu: Cpu, pointer: bigint, privilege: Privilege = 'current', errorCode = 0): Stack {
    return new Stack(cpu, NO_SEGMENT, pointer, 64, privilege, errorCode);
  }

  /** The stack of an inner privilege level, in the segment of `descriptor`, at `pointer`. */
  static inner(cpu: Cpu, descriptor: Descriptor, pointer: number, errorCode: number): Stack {
    const attributes = attributesOf(descriptor);
    const segment = { base: baseOf(descriptor), attributes, limit: limitOf(descriptor) };
    const width = (attributes & ATTRIBUTE.DB) !== 0 ? 32 : 16;
    return new Stack(cpu, segment, BigInt(pointer), width, 'supervisor', errorCode);
  }

  push(bytes: number, value: bigint | number): void {
    this.pointer = BigInt.asUintN(this.width, this.pointer - BigInt(bytes));
    const stored = BigInt.asUintN(bytes * 8, BigInt(value));
    this.#cpu.writeLinear(this.linear(this.pointer, bytes, true), bytes, stored, this.privilege);
  }

  pop(bytes: number): bigint {
    const address = this.linear(this.pointer, bytes, false);
    const value = this.#cpu.readLinear(address, bytes, this.privilege);
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

  /** Linear address of `bytes` at `offset` of the stack segment; #SS when they do not lie in it. */
  linear(offset: bigint, bytes: number, writes: boolean): bigint {
    const { state } = this.#cpu;
    if (this.width === 64) {
      if (!isCanonical(state, offset)) throw new GuestFault(SSF, this.#errorCode);
      return offset;
    }
    const { attributes, limit, base } = this.#segment;
    const real = inRealMode(state);
    if (!segmentAllows(attributes, limit, real, Number(offset), bytes, writes)) {
      throw new GuestFault(SSF, this.#errorCode);
    }
    return BigInt.asUintN(32, base + offset);
  }
}

/** Sets rSP to `pointer`, as wide as the stack segment in SS now asks for. */
export function setStackPointer(state: CpuState, pointer: bigint): void {
  const wide = (state.segmentAttributes(SS) & ATTRIBUTE.DB) !== 0;
  if (in64BitMode(state)) state.setGpr(RSP, pointer);
  else if (wide) state.set64(STATE.gpr + RSP * 8, pointer & 0xffff_ffffn);
  else state.set16(STATE.gpr + RSP * 8, Number(pointer & 0xffffn));
}
