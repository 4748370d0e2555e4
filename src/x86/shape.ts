import type { Slot } from '../ir/mod.ts';

/**
 * How a memory operand's linear address is formed.
 *
 * - `bd64`     base + displacement (64-bit, segment base 0; RIP-relative uses ripBase as base)
 * - `bis64`    base + index × scale + displacement (64-bit, segment base 0)
 * - `seg64`    the same plus a segment base (FS, GS)
 * - `seg32`    32-bit effective address; plus segment base. In 64-bit mode not truncated after the base
 * - `seg16`    16-bit effective address; plus segment base
 * - `offset`   absolute offset in the immediate (MOV moffs) plus segment base, cut to the address size
 */
export type AddressKind = 'bd64' | 'bis64' | 'seg64' | 'seg32' | 'seg16' | 'offset';

/** Everything a definition's meaning may depend on when it is built, before operands are known. */
export interface Shape {
  /** code segment's default: 64-bit mode, or 32- or 16-bit code */
  readonly mode: 16 | 32 | 64;
  /** width of the stack pointer in use: 64 in 64-bit mode, else by SS.B */
  readonly stackSize: 16 | 32 | 64;
  readonly operandSize: 16 | 32 | 64;
  readonly addressSize: 16 | 32 | 64;
  /** how the E, M, W, Q or O operand is addressed when it is memory; undefined when it is a register */
  readonly memory: AddressKind | undefined;
  /** repeat prefix of a string instruction */
  readonly repeat: 'none' | 'rep' | 'repne';
  readonly lock: boolean;
  /** VEX.L: vector length 128 or 256; undefined for legacy encodings */
  readonly vectorLength: 128 | 256 | undefined;
  /**
   * Every access is checked against its segment's limit and rights; never in 64-bit mode. Outside of it,
   * segments that are not checked begin at address 0.
   */
  readonly checked?: boolean;
}

/**
 * The operands of one decoded instruction, resolved to state offsets and numbers. Register operands take
 * `a`, `b`, `c` in the order of the form's letters. This is what a decoded-instruction record stores.
 */
export interface ResolvedOperands {
  readonly slots: Readonly<Record<Slot, number>>;
  /** log2 of the index scale */
  readonly scale: number;
  /** fits 32 bits, sign-extended */
  readonly displacement: number;
  readonly immediate: bigint;
}
