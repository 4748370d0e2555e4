import {
  ByteWriter,
  type FunctionCode,
  I32,
  ModuleWriter,
  moveOwnValue,
  setOwnValue,
} from '../../wasm/mod.ts';
import { type RegionTypes, regionTypes } from './region-types.ts';
import { type HelperSignature, importSpace, importsOnDemand } from './runtime.ts';

/** What the modules of a machine import. */
export interface ModuleSurroundings {
  readonly shared: boolean;
  readonly helpers: ReadonlyMap<string, HelperSignature>;
}

/** A function of a module, with the name by which debuggers and profilers know it. */
export interface NamedFunction {
  readonly name: string;
  readonly code: FunctionCode;
}

/** Emits a function of the handlers' type; a helper that it asks for is imported, nothing else is. */
export type FunctionBody = (
  helper: (name: string) => number,
  handlerType: number,
  types: RegionTypes,
) => NamedFunction & {
  /** its own value */
  readonly value: number;
};

/** A module of one function of the handlers' type, which goes into the table at `at` when it is instantiated, and its code. */
export function buildFunctionModule(
  surroundings: ModuleSurroundings,
  at: number,
  emit: FunctionBody,
): NamedFunction & { readonly bytes: Uint8Array<ArrayBuffer> } {
  const { module, helper, handlerType, types } = beginModule(surroundings);
  const { name, code, value } = emit(helper, handlerType, types);
  setOwnValue(code, value);
  module.addElements(at, [module.addFunction(handlerType, code, name)]);
  return { bytes: module.finish({ names: true }), code, name };
}

/**
 * A module of functions that `buildFunctionModule` has made, to be compiled for speed. It exports them by their numbers.
 * One that moves to other machines keeps their own values in globals, which it exports by the same numbers behind
 * `global`; otherwise they are constants, which no cache can miss.
 */
export function buildBatchModule(
  surroundings: ModuleSurroundings,
  functions: readonly NamedFunction[],
  moves: boolean,
): Uint8Array<ArrayBuffer> {
  const { module, helper, handlerType } = beginModule(surroundings);
  // Imports come before functions.
  const moved = functions.map(({ name, code }) => ({ name, code: moveCode(code, helper) }));
  for (const [number, { name, code }] of moved.entries()) {
    if (moves) {
      const global = module.addGlobal(0);
      module.exportGlobal(`global${number}`, global);
      moveOwnValue(code, global);
    }
    module.exportFunction(String(number), module.addFunction(handlerType, code, name));
  }
  return module.finish({ names: true, optimized: true });
}

/** A module with the types that all of these modules have, by the same numbers. */
function beginModule({ shared, helpers }: ModuleSurroundings) {
  const module = new ModuleWriter();
  importSpace(module, shared);
  const handlerType = module.type([I32, I32, I32, I32], [I32]);
  const types = regionTypes(module);
  return { module, handlerType, types, helper: importsOnDemand(module, helpers) };
}

/** A copy of the code, with the numbers that its helpers have in another module. */
function moveCode(code: FunctionCode, helper: (name: string) => number): FunctionCode {
  const bytes = code.bytes.slice();
  const number = new ByteWriter(8);
  for (const { at, name } of code.calls) {
    number.padded32(helper(name));
    bytes.set(number.take(), at);
  }
  return { ...code, bytes };
}
