/** The module of the handlers that a machine begins with. */
import { type FunctionCode, FunctionWriter, ModuleWriter } from '../../wasm/mod.ts';
import { buildMeaning, type Encoding } from '../../x86/mod.ts';
import { SHAPE_KEY_BITS, shapeOf } from '../shape-key.ts';
import type { ModuleSurroundings } from './function-module.ts';
import { HandlerEmitter, type RuntimeFunctions } from './handler-emitter.ts';
import {
  defineRuntime,
  exportRuntime,
  FIRST_HANDLER,
  importDefinedRuntime,
  importRuntime,
} from './runtime.ts';

/** An encoding in one of its shapes. */
export interface HandlerShape {
  readonly encoding: Encoding;
  readonly key: number;
}

/** Which handlers a module has. */
export interface HandlerIndexes {
  /** shapes as numbers: see `handlerKey` */
  readonly keys: Float64Array<ArrayBuffer>;
  /** the table index of the handler for each */
  readonly indexes: Int32Array<ArrayBuffer>;
}

/** Handlers that were compiled in an earlier run. */
export interface KeptHandlers extends HandlerIndexes {
  /** of the module */
  readonly bytes: number;
  /** The module; undefined when it cannot be had any more. */
  load(): WebAssembly.Module | undefined;
}

/** A shape of an encoding as one number. */
export function handlerKey(encoding: Encoding, key: number): number {
  return encoding.id * 2 ** SHAPE_KEY_BITS + key;
}

/** The shape that a number stands for. */
export function handlerShape(number: number, encodings: readonly Encoding[]): HandlerShape {
  const id = Math.floor(number / 2 ** SHAPE_KEY_BITS);
  return { encoding: encodings[id] as Encoding, key: number % 2 ** SHAPE_KEY_BITS };
}

/** Handlers of modules of one kind by their code: shapes may differ in what a meaning does not look at. */
export class HandlerVariants {
  readonly #byEncoding = new Map<Encoding, { code: FunctionCode; index: number }[]>();

  /** The handler of `encoding` with this very code. */
  find(encoding: Encoding, code: FunctionCode): number | undefined {
    const variants = this.#byEncoding.get(encoding);
    return variants?.find((each) => sameCode(each.code, code))?.index;
  }

  add(encoding: Encoding, code: FunctionCode, index: number): void {
    const variants = this.#byEncoding.get(encoding);
    if (variants === undefined) this.#byEncoding.set(encoding, [{ code, index }]);
    else variants.push({ code, index });
  }
}

/**
 * A module of handlers, with the runtime, which it exports (`enter`, and see `exportRuntime`); they go into the table from FIRST_HANDLER on.
 * `optimized` asks the host to compile it for speed.
 */
export function buildHandlerModule(
  surroundings: ModuleSurroundings,
  shapes: Iterable<HandlerShape>,
  optimized: boolean,
): HandlerIndexes & { readonly bytes: Uint8Array<ArrayBuffer> } {
  const module = new ModuleWriter();
  const imports = importRuntime(module, surroundings);
  const { functions, pseudo, enter } = defineRuntime(module, imports);
  for (const [index, fn] of pseudo) module.addElements(index, [fn]);
  const variants = new HandlerVariants();
  const bodies: number[] = [];
  const indexes = new Map<number, number>();
  for (const { encoding, key } of shapes) {
    const code = emitHandler(encoding, key, functions);
    let index = variants.find(encoding, code);
    if (index === undefined) {
      index = FIRST_HANDLER + bodies.length;
      variants.add(encoding, code, index);
      bodies.push(module.addFunction(functions.handlerType, code, handlerName(encoding, key)));
    }
    indexes.set(handlerKey(encoding, key), index);
  }
  if (bodies.length > 0) module.addElements(FIRST_HANDLER, bodies);
  module.exportFunction('enter', enter);
  exportRuntime(module, functions);
  return {
    bytes: module.finish({ names: true, optimized }),
    keys: Float64Array.from(indexes.keys()),
    indexes: Int32Array.from(indexes.values()),
  };
}

/**
 * A module of one handler beside the one that `buildHandlerModule` has made. It goes into the table at the index that
 * `place` gives its code, if it gives any.
 */
export function buildOneHandler(
  surroundings: ModuleSurroundings,
  { encoding, key }: HandlerShape,
  place: (code: FunctionCode) => number | undefined,
): Uint8Array<ArrayBuffer> | undefined {
  const module = new ModuleWriter();
  const functions = importDefinedRuntime(module, surroundings);
  const code = emitHandler(encoding, key, functions);
  const index = place(code);
  if (index === undefined) return undefined;
  const body = module.addFunction(functions.handlerType, code, handlerName(encoding, key));
  module.addElements(index, [body]);
  return module.finish({ names: true });
}

/** Whether both do the same, called in modules of one kind: helpers may have other numbers in another module. */
function sameCode(left: FunctionCode, right: FunctionCode): boolean {
  if (left.bytes.length !== right.bytes.length || left.calls.length !== right.calls.length)
    return false;
  for (let i = 0; i < left.bytes.length; i++) if (left.bytes[i] !== right.bytes[i]) return false;
  return left.calls.every(({ name }, i) => name === right.calls[i]?.name);
}

function handlerName(encoding: Encoding, key: number): string {
  const shape = shapeOf(key);
  return `${encoding.instruction.name}/${encoding.form.operands.join(',')}.${shape.operandSize}.${shape.memory ?? 'reg'}`;
}

function emitHandler(encoding: Encoding, key: number, functions: RuntimeFunctions): FunctionCode {
  const shape = shapeOf(key);
  const f = new FunctionWriter(4);
  const emitter = new HandlerEmitter(f, functions, shape.mode);
  if (shape.checked === true) emitter.checkFetch();
  emitter.emitBody(buildMeaning(encoding, shape));
  emitter.fallThrough();
  return f.finish();
}
