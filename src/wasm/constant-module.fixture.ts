import { FunctionWriter, I32, ModuleWriter } from './mod.ts';

/** The bytes of a module that is to be compiled for speed, with a function `0` that returns `value`. */
export function constantModule(value: number): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter();
  const type = module.type([], [I32]);
  const code = new FunctionWriter(0).i32Const(value).finish();
  module.exportFunction('0', module.addFunction(type, code));
  return module.finish({ optimized: true });
}

/** What the function of such a module returns. */
export function constantOf(module: WebAssembly.Module): number {
  return (new WebAssembly.Instance(module).exports['0'] as () => number)();
}
