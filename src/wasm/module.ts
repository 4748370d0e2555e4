import { assert } from '../util/mod.ts';
import { ByteWriter } from './bytes.ts';
import { FUNCREF, type FunctionCode, I32, type ValueType } from './function.ts';

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Strategy eager (2), first tier and last tier optimized (2). */
const EAGERLY_OPTIMIZED = 2 | (2 << 2) | (2 << 4);

interface Import {
  readonly module: string;
  readonly name: string;
  readonly write: (out: ByteWriter) => void;
}

/**
 * Assembles a WebAssembly module (binary format, core specification chapter 5): one imported memory, at
 * most one imported table, imported and own functions, globals, exports and one active element segment.
 */
export class ModuleWriter {
  readonly #types: FunctionType[] = [];
  readonly #typeKeys = new Map<string, number>();
  readonly #imports: Import[] = [];
  #importedFunctions = 0;
  readonly #functions: {
    type: number;
    body: FunctionCode | undefined;
    name: string | undefined;
  }[] = [];
  readonly #globals: number[] = [];
  readonly #exports: { name: string; kind: number; index: number }[] = [];
  readonly #elements: { offset: number; functions: number[] }[] = [];

  type(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params.join(' ')}>${results.join(' ')}`;
    let index = this.#typeKeys.get(key);
    if (index === undefined) {
      index = this.#types.length;
      this.#types.push({ params, results });
      this.#typeKeys.set(key, index);
    }
    return index;
  }

  /** Imports a function; all imports come before the first own function. Returns its index. */
  importFunction(module: string, name: string, type: number): number {
    assert(this.#functions.length === 0, 'imports come before own functions');
    this.#imports.push({
      module,
      name,
      write: (out) => {
        out.u8(0);
        out.u32(type);
      },
    });
    return this.#importedFunctions++;
  }

  importMemory(
    module: string,
    name: string,
    pages: number,
    maximum: number,
    shared: boolean,
  ): void {
    this.#imports.push({
      module,
      name,
      write: (out) => {
        out.append([2, shared ? 3 : 1]);
        out.u32(pages);
        out.u32(maximum);
      },
    });
  }

  importTable(module: string, name: string, minimum: number): void {
    this.#imports.push({
      module,
      name,
      write: (out) => {
        out.append([1, FUNCREF, 0]);
        out.u32(minimum);
      },
    });
  }

  /** Reserves a function's index so that others can call it before its body is known. */
  declareFunction(type: number, name?: string): number {
    this.#functions.push({ type, body: undefined, name });
    return this.#importedFunctions + this.#functions.length - 1;
  }

  /** Gives a declared function its body (`FunctionWriter.finish`). */
  defineFunction(index: number, body: FunctionCode): void {
    const entry = this.#functions[index - this.#importedFunctions];
    assert(entry !== undefined && entry.body === undefined, 'function defined once');
    entry.body = body;
  }

  /** Declares and defines in one step. */
  addFunction(type: number, body: FunctionCode, name?: string): number {
    const index = this.declareFunction(type, name);
    this.defineFunction(index, body);
    return index;
  }

  /** Adds a variable i32 with this value to begin with. Returns its index. */
  addGlobal(value: number): number {
    this.#globals.push(value);
    return this.#globals.length - 1;
  }

  exportFunction(name: string, index: number): void {
    this.#exports.push({ name, kind: 0, index });
  }

  exportGlobal(name: string, index: number): void {
    this.#exports.push({ name, kind: 3, index });
  }

  /** Puts functions into the imported table from `offset` on, at instantiation. */
  addElements(offset: number, functions: number[]): void {
    this.#elements.push({ offset, functions });
  }

  /**
   * The module's bytes, with the names of its functions if wanted. `optimized` asks V8 to compile all of it by its best
   * compiler before it is used (the section of the proposal "Compilation Hints" as V8 12 and 13 read it).
   */
  finish(
    options: { readonly names?: boolean; readonly optimized?: boolean } = {},
  ): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(1 << 13);
    out.append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
    section(out, 1, (body) => {
      body.u32(this.#types.length);
      for (const { params, results } of this.#types) {
        body.u8(0x60);
        body.u32(params.length);
        body.append(params);
        body.u32(results.length);
        body.append(results);
      }
    });
    section(out, 2, (body) => {
      body.u32(this.#imports.length);
      for (const { module, name, write } of this.#imports) {
        body.name(module);
        body.name(name);
        write(body);
      }
    });
    section(out, 3, (body) => {
      body.u32(this.#functions.length);
      for (const { type } of this.#functions) body.u32(type);
    });
    if (this.#globals.length > 0) {
      section(out, 6, (body) => {
        body.u32(this.#globals.length);
        for (const value of this.#globals) {
          body.append([I32, 1, 0x41]);
          body.s32(value);
          body.u8(0x0b);
        }
      });
    }
    section(out, 7, (body) => {
      body.u32(this.#exports.length);
      for (const { name, kind, index } of this.#exports) {
        body.name(name);
        body.u8(kind);
        body.u32(index);
      }
    });
    if (this.#elements.length > 0) {
      section(out, 9, (body) => {
        body.u32(this.#elements.length);
        for (const { offset, functions } of this.#elements) {
          body.u32(0);
          body.u8(0x41);
          body.s32(offset);
          body.u8(0x0b);
          body.u32(functions.length);
          for (const index of functions) body.u32(index);
        }
      });
    }
    if (options.optimized === true) this.#writeCompilationHints(out);
    this.#writeHints(out);
    section(out, 10, (body) => {
      body.u32(this.#functions.length);
      for (const { body: code, name } of this.#functions) {
        assert(code !== undefined, `function ${name ?? ''} has a body`);
        body.u32(code.bytes.length);
        body.append(code.bytes);
      }
    });
    if (options.names === true) this.#writeNames(out);
    return out.finish();
  }

  #writeCompilationHints(out: ByteWriter): void {
    section(out, 0, (body) => {
      body.name('compilationHints');
      body.u32(this.#functions.length);
      for (const _ of this.#functions) body.u8(EAGERLY_OPTIMIZED);
    });
  }

  /** The section of the proposal "Branch Hinting"; engines that do not know it skip it. */
  #writeHints(out: ByteWriter): void {
    const hinted = this.#functions
      .map(({ body }, index) => ({
        hints: body?.hints ?? [],
        index: index + this.#importedFunctions,
      }))
      .filter(({ hints }) => hints.length > 0);
    if (hinted.length === 0) return;
    section(out, 0, (section) => {
      section.name('metadata.code.branch_hint');
      section.u32(hinted.length);
      for (const { index, hints } of hinted) {
        section.u32(index);
        section.u32(hints.length);
        for (const { at, isLikely } of hints) {
          section.u32(at);
          section.u32(1);
          section.u8(isLikely ? 1 : 0);
        }
      }
    });
  }

  #writeNames(out: ByteWriter): void {
    section(out, 0, (body) => {
      body.name('name');
      section(body, 1, (map) => {
        const named = this.#functions
          .map(({ name }, index) => ({ name, index: index + this.#importedFunctions }))
          .filter(({ name }) => name !== undefined);
        map.u32(named.length);
        for (const { name, index } of named) {
          map.u32(index);
          map.name(name as string);
        }
      });
    });
  }
}

function section(out: ByteWriter, id: number, write: (body: ByteWriter) => void): void {
  const body = new ByteWriter(64);
  write(body);
  out.u8(id);
  out.u32(body.length);
  out.append(body.peek());
}
