import type { Operand } from './operand.ts';
import type { Semantics } from './semantics.ts';

/**
 * Attributes of an encoding.
 *
 * - `lock`     LOCK prefix is legal when the destination is memory
 * - `cpl0`     #GP unless CPL is 0
 * - `d64`      operand size defaults to 64 in 64-bit mode (16 with 66, never 32)
 * - `norep`    #UD with F2 or F3
 * - `f64`      operand size is 64 in 64-bit mode whatever the prefixes
 * - `no64`     #UD in 64-bit mode;  `only64` #UD outside it;  `noreal` #UD in real and virtual-8086 mode
 * - `rep`      F2/F3 are repeat prefixes of this string instruction
 * - `cpuid:X`  #UD unless CPUID reports feature X
 * - `sse`      #UD/#NM by CR0.EM, CR4.OSFXSR, CR0.TS;  `fpu` #NM by CR0.EM, CR0.TS;  `avx` by CR4.OSXSAVE, XCR0, CR0.TS
 * - `ends`     the instruction never falls through to the next record (it branches or redirects)
 * - `serializes` changes what is executed or how; what follows is looked up anew
 * - `shadow`   interrupts wait until the next instruction has run
 * - `aligned`  128-bit memory operands must be aligned (#GP)
 * - `vsib`     the index of the memory operand is a vector register; M.offset() is its base and displacement alone
 */
export type Attribute =
  | 'lock'
  | 'cpl0'
  | 'd64'
  | 'f64'
  | 'no64'
  | 'only64'
  | 'noreal'
  | 'rep'
  | 'sse'
  | 'mmx'
  | 'fpu'
  | 'avx'
  | 'ends'
  | 'serializes'
  | 'shadow'
  | 'aligned'
  | 'vsib'
  | 'norep'
  | `cpuid:${string}`;

/** One encoding of an instruction, as the manual's table row has it. */
export interface Form {
  /**
   * The opcode column: `10 /r`, `0F 10 /r`, `66 0F 6F /r`, `F3 0F 10 /r`, `NP 0F 58 /r`, `80 /2 ib`,
   * `48+r`, `REX.W 0F C7 /1`, `VEX.128.66.0F38.W0 00 /r`, `0F 01 /7 mod!=3`, `0F 01 F8` (three fixed bytes).
   */
  readonly opcode: string;
  /** Operand letters of the manual's opcode map, e.g. `Ev Gv`; see operand.ts. */
  readonly operands: readonly string[];
  readonly attributes: readonly Attribute[];
}

export interface Instruction {
  readonly name: string;
  readonly forms: readonly Form[];
  /** Builds the meaning over abstract operands, in the order of the form's letters. */
  readonly semantics: (b: Semantics, operands: readonly Operand[]) => void;
}

/** One row of an instruction's table. */
export function form(opcode: string, operands = '', ...attributes: Attribute[]): Form {
  return { opcode, operands: operands === '' ? [] : operands.split(' '), attributes };
}

/** Defines an instruction: its encodings with their attributes, and its meaning. */
export function define(
  name: string,
  forms: readonly Form[],
  // biome-ignore lint/suspicious/noExplicitAny: the tuple's length is the form's, checked when handlers are built
  semantics: (b: Semantics, operands: any) => void,
): Instruction {
  return { name, forms, semantics };
}
