/**
 * The intermediate form that stands between an instruction's meaning and its execution.
 *
 * A body is a tree of blocks; a block is a list of nodes in program order. Pure nodes are values
 * (single assignment); the others read or change state, touch memory, branch or leave.
 */

/** Value types: WebAssembly's own. `i32` doubles as truth value (0 or 1) and small integer. */
export type Type = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

/** Where a late-bound operand finds its parameters: fields of the decoded-instruction record. */
export type Slot = 'a' | 'b' | 'c' | 'base' | 'index' | 'segment';

/** A field of the vCPU state block: at a fixed offset, or at an offset the record's slot holds. */
export type FieldRef =
  | { readonly kind: 'fixed'; readonly offset: number }
  | { readonly kind: 'slot'; readonly slot: Slot; readonly displacement: number };

/** How a state field is loaded or stored: width, and sign when it is widened to i64 or i32. */
export type Access =
  | 'i64'
  | 'i64.8s'
  | 'i64.8u'
  | 'i64.16s'
  | 'i64.16u'
  | 'i64.32s'
  | 'i64.32u'
  | 'i32'
  | 'i32.8s'
  | 'i32.8u'
  | 'i32.16s'
  | 'i32.16u'
  | 'f32'
  | 'f64'
  | 'v128';

/** Guest memory widths in bits. 128 is a v128. */
export type MemoryWidth = 8 | 16 | 32 | 64 | 128;

/** Parameters of the instruction that are values, not fields. All are i64 but `scale` (i32). */
export type Parameter = 'immediate' | 'displacement' | 'scale' | 'nextRip' | 'rip';

/** Anything a node's `imm` can hold. */
export type Immediate = number | bigint | string | Uint8Array | undefined;

export interface Node {
  readonly op: string;
  readonly type: Type | undefined;
  readonly args: readonly Node[];
  /** constant, lane, local index, helper name, width, vector ... by `op` */
  readonly imm: Immediate;
  /** field of `state.read` and `state.write` */
  readonly field: FieldRef | undefined;
  readonly access: Access | undefined;
  /** blocks of `if` (then, else) and `loop` (body) */
  readonly blocks: readonly Block[] | undefined;
  /** number of nodes that use the value; kept by the builder, read by the emitters */
  uses: number;
}

export type Value = Node & { readonly type: Type };
export type Block = Node[];

/** The meaning of one instruction: its block, and the locals (mutable variables) it uses. */
export interface Body {
  readonly block: Block;
  readonly locals: readonly Type[];
}
