import { type FunctionCode, I32, I64, ModuleWriter } from '../../wasm/mod.ts';
import { type HelperSignature, importHelper } from './runtime.ts';

/** What the modules of a machine import. */
export interface ModuleSurroundings {
  readonly memoryPages: number;
  readonly shared: boolean;
  readonly helpers: ReadonlyMap<string, HelperSignature>;
}

/** Types of what regions call through the table. */
export interface RegionTypes {
  readonly afterHelper: number;
  readonly storeFlags: number;
}

/** Emits a function of the handlers' type; a helper that it asks for is imported, nothing else is. */
export type FunctionBody = (
  helper: (name: string) => number,
  handlerType: number,
  types: RegionTypes,
) => { readonly name: string; readonly code: FunctionCode };

/** A module of one function of the handlers' type, which goes into the table at `at` when it is instantiated, and its code. */
export function buildFunctionModule(
  { memoryPages, shared, helpers }: ModuleSurroundings,
  at: number,
  emit: FunctionBody,
): { bytes: Uint8Array<ArrayBuffer>; code: FunctionCode } {
  const module = new ModuleWriter();
  module.importMemory('vm', 'memory', memoryPages, memoryPages, shared);
  module.importTable('vm', 'table', 1);
  const handlerType = module.type([I32, I32, I32, I32], [I32]);
  const used = new Map<string, number>();
  const helper = (name: string): number => {
    const known = used.get(name);
    if (known !== undefined) return known;
    const signature = helpers.get(name);
    if (signature === undefined) throw new Error(`Vivarium internal error: no helper ${name}`);
    const index = importHelper(module, name, signature);
    used.set(name, index);
    return index;
  };
  const { name, code } = emit(helper, handlerType, {
    afterHelper: module.type([I32, I32, I32, I32, I32], [I32]),
    storeFlags: module.type([I32, I32, I64, I64, I64], []),
  });
  module.addElements(at, [module.addFunction(handlerType, code, name)]);
  return { bytes: module.finish({ names: true }), code };
}
