import type { Value } from '../../ir/mod.ts';
import { type FunctionWriter, I32, I64, type ValueType } from '../../wasm/mod.ts';
import { STATE } from '../../x86/mod.ts';
import type { RuntimeImports } from '../emit/body-emitter.ts';
import { FormulaEmitter } from '../flags/formula-emitter.ts';
import { RECIPE, type Recipe, RecipeFormula } from '../flags/recipe.ts';
import { CPU } from '../handlers/handler-emitter.ts';
import { STORE_FLAGS } from '../handlers/runtime.ts';
import { shapeOf } from '../shape-key.ts';

/** A recipe that is only known at run time. */
export const DYNAMIC = -1;

const FIELDS = [STATE.flagZ, STATE.flagS, STATE.flagO, STATE.flagA, STATE.flagC] as const;

/** True for the state offsets of the flag fields. */
export function isFlagField(offset: number): boolean {
  return (FIELDS as readonly number[]).includes(offset);
}

/** The recipes for operands of 32 bits. */
const NARROW = {
  [RECIPE.add]: RECIPE.add32,
  [RECIPE.sub]: RECIPE.sub32,
  [RECIPE.logic]: RECIPE.logic32,
} as const;

/** Comparison ops by pair of conditions after a subtraction: [condition, its negation]. */
const SUB_CONDITIONS: Record<number, readonly [number, number]> = {
  1: [0x54, 0x5a], // below: lt_u, ge_u
  2: [0x51, 0x52], // equal: eq, ne
  3: [0x58, 0x56], // below or equal: le_u, gt_u
  6: [0x53, 0x59], // less: lt_s, ge_s
  7: [0x57, 0x55], // less or equal: le_s, gt_s
};

/** Comparison of a logical result with zero, by pair of conditions. */
const LOGIC_CONDITIONS: Record<number, readonly [number, number]> = {
  2: [0x51, 0x52],
  3: [0x51, 0x52], // below or equal: equal alone
  4: [0x53, 0x59], // sign
  6: [0x53, 0x59],
  7: [0x57, 0x55],
};

/** i64 comparison opcodes are those of i32 plus this. */
const I64_TO_I32_COMPARE = 0x51 - 0x46;

export type WideRecipe = keyof typeof NARROW;

/** What the flags' formulas need of the emitter they are part of. */
export interface FormulaHost {
  readonly imports: RuntimeImports;
  allocate(type: ValueType): number;
}

/**
 * Where the flags are while a region runs: in the state, in a local for each field, or nowhere yet, as the operands of
 * the last instruction that set them and the recipe for computing them (flags/recipe.ts).
 */
export class FlagLocals {
  /** where they are now */
  recipe: Recipe | typeof DYNAMIC = RECIPE.memory;
  /** the places of operands may hold other than zero */
  holdsOperands = false;
  readonly #f: FunctionWriter;
  readonly #host: FormulaHost;
  readonly #storeType: number;
  readonly #fields = new Map<number, number>();
  /**
   * places of a recipe: its operands, zero-extended when they are of 32 bits, and its kind where that is only
   * known at run time
   */
  readonly #left: number;
  readonly #right: number;
  readonly #result: number;
  readonly #kind: number;

  /** @param storeType type of what is at STORE_FLAGS in the table */
  constructor(f: FunctionWriter, host: FormulaHost, storeType: number) {
    this.#f = f;
    this.#host = host;
    this.#storeType = storeType;
    for (const field of FIELDS) this.#fields.set(field, f.local(field === STATE.flagC ? I32 : I64));
    this.#left = f.local(I64);
    this.#right = f.local(I64);
    this.#result = f.local(I64);
    this.#kind = f.local(I32);
  }

  /** The local of the field at a state offset, if it is one; valid after `toFields`. */
  field(offset: number): number | undefined {
    return this.#fields.get(offset);
  }

  /** At the entry of the region: they are in the state. */
  enter(): void {
    this.#f.i32Const(RECIPE.memory).set(this.#kind);
  }

  /** At a place that is reached in several ways, behind `settle` on each. */
  merge(): void {
    this.recipe = DYNAMIC;
    this.holdsOperands = true;
  }

  /** Takes the operands of `recipe` off the stack; `narrow` ones are of 32 bits. */
  take(recipe: WideRecipe, narrow: boolean): void {
    this.holdsOperands = true;
    this.#f.set(this.#result);
    if (recipe !== RECIPE.logic) this.#f.set(this.#right).set(this.#left);
    this.recipe = narrow ? NARROW[recipe] : recipe;
  }

  /**
   * Before a place that is reached in several ways: which recipe counts goes into #kind. Operands that no
   * longer matter are set to zero, so that WebAssembly's compiler sees them die.
   */
  settle(): void {
    const f = this.#f;
    const recipe = this.recipe;
    if (recipe === DYNAMIC) return;
    if (recipe === RECIPE.fields) this.storeFields();
    f.i32Const(recipe === RECIPE.fields ? RECIPE.memory : recipe).set(this.#kind);
    if ((recipe === RECIPE.fields || recipe === RECIPE.memory) && this.holdsOperands) {
      for (const local of [this.#left, this.#right, this.#result]) f.i64Const(0n).set(local);
    }
  }

  /** Writes the flags to the state. */
  toState(): void {
    const recipe = this.recipe;
    if (recipe === RECIPE.memory) return;
    if (recipe === DYNAMIC) this.dynamicToState();
    else if (recipe === RECIPE.fields) this.storeFields();
    else if (recipe >= RECIPE.add32) this.storeNarrow(() => this.#f.i32Const(recipe));
    else this.storeWide(() => this.#f.i32Const(recipe));
  }

  /** Makes the flag fields' locals valid. */
  toFields(): void {
    const recipe = this.recipe;
    if (recipe === RECIPE.fields) return;
    if (recipe === DYNAMIC) this.dynamicToState();
    if (recipe === DYNAMIC || recipe === RECIPE.memory) this.loadFields();
    else this.#compute(recipe);
    this.recipe = RECIPE.fields;
  }

  /** Computes all flag fields from the recipe's operands. */
  #compute(recipe: Recipe): void {
    const b = new RecipeFormula(shapeOf(0));
    const narrow = recipe >= RECIPE.add32;
    // Negative offsets stand for locals by number.
    const operand = (local: number): Value => {
      const value = b.readState({ kind: 'fixed', offset: -local }, 'i64');
      return narrow ? b.pure('i64.extend32_s', value) : value;
    };
    b.write(recipe, operand(this.#left), operand(this.#right), operand(this.#result));
    this.#formulas().emitBody(b.finish());
  }

  #formulas(): FormulaEmitter {
    return new FormulaEmitter(
      this.#f,
      this.#host.imports,
      (field) => this.#fields.get(field) as number,
      (type) => this.#host.allocate(type),
    );
  }

  /** Pushes CF. */
  carry(): void {
    const f = this.#f;
    switch (this.recipe) {
      case RECIPE.add:
        f.get(this.#result).get(this.#left).op(0x54); // sum < left, unsigned
        return;
      case RECIPE.add32:
        f.get(this.#result).wrap().get(this.#left).wrap().op(0x49);
        return;
      case RECIPE.sub:
        f.get(this.#left).get(this.#right).op(0x54);
        return;
      case RECIPE.sub32:
        f.get(this.#left).wrap().get(this.#right).wrap().op(0x49);
        return;
      case RECIPE.logic:
      case RECIPE.logic32:
        f.i32Const(0);
        return;
      default:
        this.toFields();
        f.get(this.#fields.get(STATE.flagC) as number);
    }
  }

  /** Pushes condition `code` as 0 or 1, fused with the comparison it follows. */
  condition(code: number): void {
    const f = this.#f;
    const negate = code & 1;
    const pair = code >> 1;
    const recipe = this.recipe;
    switch (recipe) {
      case RECIPE.sub:
      case RECIPE.sub32: {
        const op = SUB_CONDITIONS[pair]?.[negate];
        if (op === undefined) break;
        if (recipe === RECIPE.sub) f.get(this.#left).get(this.#right).op(op);
        else
          f.get(this.#left)
            .wrap()
            .get(this.#right)
            .wrap()
            .op(op - I64_TO_I32_COMPARE);
        return;
      }
      case RECIPE.logic:
      case RECIPE.logic32: {
        // CF and OF are 0: below never holds, less means negative.
        const op = LOGIC_CONDITIONS[pair]?.[negate];
        if (op === undefined) break;
        if (recipe === RECIPE.logic) f.get(this.#result).i64Const(0n).op(op);
        else
          f.get(this.#result)
            .wrap()
            .i32Const(0)
            .op(op - I64_TO_I32_COMPARE);
        return;
      }
      default:
    }
    if (recipe !== DYNAMIC && recipe !== RECIPE.fields && recipe !== RECIPE.memory) {
      if (pair === 2 || pair === 4) {
        const op = (LOGIC_CONDITIONS[pair] as readonly [number, number])[negate] as number;
        if (recipe >= RECIPE.add32)
          f.get(this.#result)
            .wrap()
            .i32Const(0)
            .op(op - I64_TO_I32_COMPARE);
        else f.get(this.#result).i64Const(0n).op(op);
        return;
      }
      if (pair === 1) {
        this.carry();
        if (negate === 1) f.i32Eqz();
        return;
      }
    }
    this.toFields();
    const b = new RecipeFormula(shapeOf(0));
    const condition = b.condition(code);
    this.#formulas().pushValue(b.finish(), condition);
  }

  /** Writes them to the state by the operands in their places and the recipe that `recipe` pushes. */
  storeWide(recipe: () => void): void {
    const f = this.#f;
    f.get(CPU);
    recipe();
    f.get(this.#left).get(this.#right).get(this.#result);
    f.i32Const(STORE_FLAGS).callIndirect(this.#storeType);
  }

  /** As `storeWide`, for operands of 32 bits. */
  storeNarrow(recipe: () => void): void {
    const f = this.#f;
    f.get(CPU);
    recipe();
    for (const local of [this.#left, this.#right, this.#result]) f.get(local).op(0xc4);
    f.i32Const(STORE_FLAGS).callIndirect(this.#storeType);
  }

  /** Writes the flags to the state by the recipe in #kind. */
  dynamicToState(): void {
    const f = this.#f;
    const kind = (): void => {
      f.get(this.#kind);
    };
    f.get(this.#kind).i32Const(RECIPE.memory).op(0x47).if();
    f.get(this.#kind).i32Const(RECIPE.add32).op(0x4f).if(); // ge_u
    this.storeNarrow(kind);
    f.else();
    this.storeWide(kind);
    f.end();
    f.end();
  }

  /** Writes the fields' locals to the state. */
  storeFields(): void {
    const f = this.#f;
    for (const [field, local] of this.#fields) {
      f.get(CPU).get(local);
      if (field === STATE.flagC) f.i32Store(field);
      else f.i64Store(field);
    }
  }

  /** Loads the fields' locals from the state. */
  loadFields(): void {
    const f = this.#f;
    for (const [field, local] of this.#fields) {
      f.get(CPU);
      if (field === STATE.flagC) f.i32Load(field);
      else f.i64Load(field);
      f.set(local);
    }
  }
}
