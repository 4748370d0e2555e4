import type { Access, Block, FieldRef, Node } from '../../ir/mod.ts';
import { type FunctionCode, FunctionWriter, type ValueType } from '../../wasm/mod.ts';
import { STORE } from '../emit/accesses.ts';
import { BodyEmitter, type RuntimeImports } from '../emit/body-emitter.ts';
import { shapeOf } from '../shape-key.ts';
import { RECIPE, type Recipe, RecipeFormula } from './recipe.ts';

/** Emits flag formulas over locals; in `body`, negative offsets stand for locals by number. */
export class FormulaEmitter extends BodyEmitter {
  readonly #flag: (field: number) => number;
  readonly #allocate: (type: ValueType) => number;

  constructor(
    f: FunctionWriter,
    imports: RuntimeImports,
    flag: (field: number) => number,
    allocate: (type: ValueType) => number,
  ) {
    super(f, imports);
    this.#flag = flag;
    this.#allocate = allocate;
  }

  pushValue(
    body: { block: Block; locals: readonly never[] | readonly unknown[] },
    value: Node,
  ): void {
    value.uses++;
    this.emitBody(body as Parameters<BodyEmitter['emitBody']>[0]);
    this.value(value);
  }

  protected override allocate(type: ValueType): number {
    return this.#allocate(type);
  }
  protected override readField(field: FieldRef): void {
    const offset = (field as { offset: number }).offset;
    this.f.get(offset <= 0 ? -offset : this.#flag(offset));
  }
  protected override writeField(field: FieldRef, _access: Access, value: Node): void {
    this.value(value);
    this.f.set(this.#flag((field as { offset: number }).offset));
  }
  protected fieldAddress(): number {
    return this.no();
  }
  protected slotOffset(): void {
    this.no();
  }
  protected parameter(): void {
    this.no();
  }
  protected tlbBase(): void {
    this.no();
  }
  protected bounceAddress(): void {
    this.no();
  }
  protected leaveFaulted(): void {
    this.no();
  }
  protected raise(): void {
    this.no();
  }
  protected effectHelper(): void {
    this.no();
  }
  protected privilegeChanged(): void {
    this.no();
  }
  protected branchRelative(): void {
    this.no();
  }
  protected branch(): void {
    this.no();
  }
  private no(): never {
    throw new Error('Vivarium internal error: a flag formula only computes');
  }
}

const NO_RUNTIME: RuntimeImports = {
  loadSlow: -1,
  updateSlow: -1,
  storeSlow: -1,
  helper: (name) => {
    throw new Error(`Vivarium internal error: flags by helper ${name}`);
  },
};

/** As FormulaEmitter, into the fields of the state block. */
class StateFormulaEmitter extends FormulaEmitter {
  protected override writeField(field: FieldRef, access: Access, value: Node): void {
    this.f.get(0);
    this.value(value);
    this.f.memory(STORE[access], (field as { offset: number }).offset);
  }
}

/**
 * Body of (cpu, recipe, left, right, result): writes the flag fields of the state. Operands of 32 bits come
 * sign-extended.
 */
export function storeFlagsBody(): FunctionCode {
  const f = new FunctionWriter(5);
  const formula = (recipe: Recipe): void => {
    const b = new RecipeFormula(shapeOf(0));
    const operand = (local: number) => b.readState({ kind: 'fixed', offset: -local }, 'i64');
    b.write(recipe, operand(2), operand(3), operand(4));
    new StateFormulaEmitter(
      f,
      NO_RUNTIME,
      () => 0,
      (type) => f.local(type),
    ).emitBody(b.finish());
  };
  const is = (wide: Recipe, narrow: Recipe): void => {
    f.get(1).i32Const(wide).op(0x46);
    f.get(1).i32Const(narrow).op(0x46).i32Or().if();
  };
  is(RECIPE.sub, RECIPE.sub32);
  formula(RECIPE.sub);
  f.else();
  is(RECIPE.logic, RECIPE.logic32);
  formula(RECIPE.logic);
  f.else();
  formula(RECIPE.add);
  f.end();
  f.end();
  return f.finish();
}
