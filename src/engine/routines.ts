/** Compiles the routines of helpers: see `Helper.routine`. */
import type { FieldRef } from '../ir/mod.ts';
import { FunctionWriter, ModuleWriter, type ValueType } from '../wasm/mod.ts';
import { type Helper, Routine, STATE } from '../x86/mod.ts';
import { BodyEmitter } from './emit/body-emitter.ts';
import { VALUE_TYPE } from './emit/value-emitter.ts';

/**
 * A module with all routines of `helpers`, for the state block at linear offset `base`. What it exports
 * takes the place of the helpers' own functions: compiled code calls it without leaving WebAssembly.
 */
export function compileRoutines(
  helpers: Readonly<Record<string, Helper>>,
  memory: WebAssembly.Memory,
  memoryPages: number,
  base: number,
): WebAssembly.Exports {
  const module = new ModuleWriter();
  module.importMemory('vm', 'memory', memoryPages, memoryPages, true);
  for (const [name, helper] of Object.entries(helpers)) {
    if (helper.routine === undefined || helper.result === undefined) continue;
    const routine = new Routine(helper.params, helper.result);
    helper.routine(routine);
    const type = module.type(
      helper.params.map((each) => VALUE_TYPE[each]),
      [VALUE_TYPE[helper.result]],
    );
    const f = new FunctionWriter(helper.params.length);
    new RoutineEmitter(f, helper.params.length, base).emitRoutine(routine);
    module.exportFunction(name, module.addFunction(type, f.finish(), name));
  }
  const compiled = new WebAssembly.Module(module.finish());
  return new WebAssembly.Instance(compiled, { vm: { memory } }).exports;
}

/** Emits a routine: its first variables are the parameters. It only computes and touches the state. */
class RoutineEmitter extends BodyEmitter {
  readonly #parameters: number;
  readonly #base: number;
  #variables = 0;

  constructor(f: FunctionWriter, parameters: number, base: number) {
    super(f, { loadSlow: -1, updateSlow: -1, storeSlow: -1, helper: () => RoutineEmitter.no() });
    this.#parameters = parameters;
    this.#base = base;
  }

  emitRoutine(routine: Routine): void {
    this.emitBody(routine.finish());
    // Parameters come first among the variables, then the result.
    this.f.get(this.#parameters);
  }

  protected override allocate(type: ValueType): number {
    if (this.#variables < this.#parameters) return this.#variables++;
    return this.f.local(type);
  }

  protected fieldAddress(field: FieldRef): number {
    this.f.i32Const(this.#base);
    return field.kind === 'fixed' ? field.offset : RoutineEmitter.no();
  }

  protected slotOffset(): void {
    RoutineEmitter.no();
  }
  protected parameter(): void {
    RoutineEmitter.no();
  }
  protected tlbBase(): void {
    this.f.i32Const(this.#base).i32Load(STATE.tlb);
  }
  protected bounceAddress(): void {
    RoutineEmitter.no();
  }
  protected leaveFaulted(): void {
    RoutineEmitter.no();
  }
  protected raise(): void {
    RoutineEmitter.no();
  }
  protected effectHelper(): void {
    RoutineEmitter.no();
  }
  protected privilegeChanged(): void {
    RoutineEmitter.no();
  }
  protected branchRelative(): void {
    RoutineEmitter.no();
  }
  protected branch(): void {
    RoutineEmitter.no();
  }

  static no(): never {
    throw new Error('Vivarium internal error: a routine only computes');
  }
}
