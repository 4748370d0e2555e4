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

  // --- the host's memory: for routines alone, whose callers have nothing to take back

  /**
   * Linear-memory offset, i32, of the byte at a guest address, when the TLB allows the access; else 0. The
   * bytes behind it up to the end of the page follow.
   */
  place(address: Value, access: 'read' | 'write'): Value {
    return this.dialect('linear.place', 'i32', access, address);
  }

  /** Copies `bytes` (i32) from place to place, which must not overlap but from below. */
  copy(to: Value, from: Value, bytes: Value): void {
    this.dialect('linear.copy', undefined, undefined, to, from, bytes);
  }

  /** Sets `bytes` bytes from `to` on to the low byte of an i32. */
  fill(to: Value, byte: Value, bytes: Value): void {
    this.dialect('linear.fill', undefined, undefined, to, byte, bytes);
  }

  /** A new variable that holds `value`. */
  variable(value: Value): Local {
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }
}
