import type { Value } from '../../ir/mod.ts';
import {
  type Operand,
  RegisterOperand,
  type ResolvedOperands,
  Semantics,
  type Shape,
} from '../../x86/mod.ts';
import { GUARD } from '../emit/body-emitter.ts';
import { RECIPE } from '../flags/recipe.ts';
import type { VectorLocals } from './vector-locals.ts';

/** The dialect's ops: see FlagTracker. */
export const FLAG_OPS = {
  recipe: 'flags.recipe',
  condition: 'flags.condition',
  carry: 'flags.carry',
} as const;

/** Floating point, besides. */
export const FLOAT_OPS = {
  /** 1 when MXCSR & HOST_ROUNDING.mask is HOST_ROUNDING.value: tested once, not at each instruction */
  hostRounds: 'float.hostRounds',
} as const;

/** MXCSR: inexact results are masked and already reported, and rounding is to nearest. */
export const HOST_ROUNDING = { mask: 0x7020, value: 0x1020 } as const;

/**
 * Semantics for regions: the usual flag results become one node that remembers the operands, so that a
 * condition can be fused with its comparison and flags nobody reads are never computed.
 */
export class RegionSemantics extends Semantics {
  readonly #vectors: VectorLocals;
  /** facts about vector registers that hold behind the instruction: state offset, FACT bits */
  readonly learned: (readonly [offset: number, facts: number])[] = [];

  constructor(shape: Shape, operands: ResolvedOperands, vectors: VectorLocals) {
    super(shape, operands);
    this.#vectors = vectors;
  }

  override get isTranslated(): boolean {
    return true;
  }

  override flagsAdd(left: Value, right: Value, sum: Value, carryIn?: Value): void {
    if (carryIn === undefined)
      this.dialect(FLAG_OPS.recipe, undefined, RECIPE.add, left, right, sum);
    else super.flagsAdd(left, right, sum, carryIn);
  }

  override flagsSub(left: Value, right: Value, difference: Value, borrowIn?: Value): void {
    if (borrowIn === undefined)
      this.dialect(FLAG_OPS.recipe, undefined, RECIPE.sub, left, right, difference);
    else super.flagsSub(left, right, difference, borrowIn);
  }

  override flagsLogic(result: Value): void {
    this.dialect(FLAG_OPS.recipe, undefined, RECIPE.logic, result, result, result);
  }

  override condition(code: number): Value {
    return this.dialect(FLAG_OPS.condition, 'i32', code);
  }

  override get carry(): Value {
    return this.dialect(FLAG_OPS.carry, 'i32', 0);
  }

  // --- floating point

  override get helpersLeave(): boolean {
    return true;
  }

  override guard(conditions: readonly Value[], otherwise: () => void): void {
    const open = conditions.filter((each) => each.op !== 'const' || each.imm === 0);
    if (open.length > 0) this.dialectBlock(GUARD, open, otherwise);
  }

  override mxcsrIs(mask: number, value: number): Value {
    if (mask === HOST_ROUNDING.mask && value === HOST_ROUNDING.value)
      return this.dialect(FLOAT_OPS.hostRounds, 'i32', 0);
    return super.mxcsrIs(mask, value);
  }

  override knows(operand: Operand, facts: number): boolean {
    const offset = vectorOffset(operand);
    return offset >= 0 && this.#vectors.knows(offset, facts);
  }

  override learn(operand: Operand, facts: number): void {
    const offset = vectorOffset(operand);
    if (offset >= 0) this.learned.push([offset, facts]);
  }

  override learnSame(destination: Operand, source: Operand, facts: number): void {
    const offset = vectorOffset(source);
    if (offset >= 0) this.learn(destination, this.#vectors.facts(offset) & facts);
  }
}

/** State offset of a vector register operand, or -1. */
function vectorOffset(operand: Operand): number {
  if (!(operand instanceof RegisterOperand) || operand.kind !== 'vector') return -1;
  return operand.field.kind === 'fixed' ? operand.field.offset : -1;
}
