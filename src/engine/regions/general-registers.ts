import type { Access } from '../../ir/mod.ts';
import { type FunctionWriter, I64 } from '../../wasm/mod.ts';
import { STATE } from '../../x86/mod.ts';
import { CPU } from '../handlers/handler-emitter.ts';
import { narrowRead, narrowWrite } from './register-parts.ts';

const COUNT = 16;

/** The general registers while a region runs: a local each, loaded at its start and written back where it leaves. */
export class GeneralRegisters {
  readonly #f: FunctionWriter;
  readonly #locals: readonly number[];
  readonly #used = new Set<number>();
  readonly #written = new Set<number>();

  constructor(f: FunctionWriter) {
    this.#f = f;
    this.#locals = Array.from({ length: COUNT }, () => f.local(I64));
  }

  /** Whether a byte of the state is part of one. */
  owns(offset: number): boolean {
    return offset < COUNT * 8;
  }

  /** The local of the register with this number. */
  local(index: number): number {
    return this.#locals[index] as number;
  }

  /** Pushes what `access` reads at a state offset. */
  read(offset: number, access: Access): void {
    this.#used.add(offset >> 3);
    this.#f.get(this.local(offset >> 3));
    narrowRead(this.#f, offset & 7, access);
  }

  /** Writes what `value` pushes. */
  write(offset: number, access: Access, value: () => void): void {
    const index = offset >> 3;
    this.#written.add(index);
    this.#used.add(index); // not every path writes it before an exit
    narrowWrite(this.#f, this.local(index), offset & 7, access, value);
  }

  /** Writes the registers that the region changes back to the state: all its code must have been emitted. */
  spill(): void {
    for (const index of this.#written)
      this.#f
        .get(CPU)
        .get(this.local(index))
        .i64Store(STATE.gpr + index * 8);
  }

  /** Loads the registers that the region uses: as for `spill`. */
  load(): void {
    for (const index of this.#used)
      this.#f
        .get(CPU)
        .i64Load(STATE.gpr + index * 8)
        .set(this.local(index));
  }
}
