import { type Access, Builder, type Local, type Type, type Value } from '../ir/mod.ts';

/**
 * Builds a routine: code of the intermediate form that engines compile once and call, where a helper in
 * TypeScript would be too slow and code at every use too long. Its result is what `result` holds at the end.
 */
export class Routine extends Builder {
  readonly params: readonly Local[];
  readonly result: Local;

  constructor(params: readonly Type[], result: Type) {
    super();
    this.params = params.map((type) => this.local(type));
    this.result = this.local(result);
  }

  /** Parameter `index`. */
  param(index: number): Value {
    return this.get(this.params[index] as Local);
  }

  readFixed(offset: number, access: Access): Value {
    return this.readState({ kind: 'fixed', offset }, access);
  }
  writeFixed(offset: number, access: Access, value: Value): void {
    this.writeState({ kind: 'fixed', offset }, access, value);
  }

  /** A new variable that holds `value`. */
  variable(value: Value): Local {
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }
}
