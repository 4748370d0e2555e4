import type { Value } from '../../ir/mod.ts';
import { Semantics } from '../../x86/mod.ts';

/** How the six flags follow from the operands of the last instruction that set them all. */
export const RECIPE = {
  /** the flag fields themselves are valid */
  fields: 0,
  add: 1,
  sub: 2,
  logic: 3,
  /** the flag fields in the vCPU's state are valid and were not loaded yet */
  memory: 4,
  /** as add, sub and logic, with operands of 32 bits */
  add32: 5,
  sub32: 6,
  logic32: 7,
} as const;
export type Recipe = (typeof RECIPE)[keyof typeof RECIPE];

/** The formulas of a recipe, written into the flag fields: what `Semantics` says, run over given values. */
export class RecipeFormula extends Semantics {
  write(recipe: Recipe, left: Value, right: Value, result: Value): void {
    if (recipe === RECIPE.add || recipe === RECIPE.add32) this.flagsAdd(left, right, result);
    else if (recipe === RECIPE.sub || recipe === RECIPE.sub32) this.flagsSub(left, right, result);
    else this.flagsLogic(result);
  }
}
