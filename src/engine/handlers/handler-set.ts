import { type FunctionCode, FunctionWriter, ModuleWriter } from '../../wasm/mod.ts';
import { buildMeaning, type Encoding } from '../../x86/mod.ts';
import { SHAPE_KEY_BITS, shapeKey, shapeOf } from '../shape-key.ts';
import type { ModuleSurroundings } from './function-module.ts';
import { HandlerEmitter, type RuntimeFunctions } from './handler-emitter.ts';
import { defineRuntime, FIRST_HANDLER, importRuntime } from './runtime.ts';

/** What the runtime of every module imports. */
export interface RuntimeHost extends ModuleSurroundings {
  readonly memory: WebAssembly.Memory;
  readonly imports: {
    readonly vm: WebAssembly.ModuleImports;
    readonly helpers: WebAssembly.ModuleImports;
  };
}

/** Table indexes from here on belong to regions. Below there is room for every encoding in every shape. */
export const FIRST_REGION = 65_536;
export const REGION_SLOTS = 49_152;
const TABLE_SIZE = FIRST_REGION + REGION_SLOTS;

/**
 * The handlers of a vCPU: WebAssembly functions in one table, one for each encoding and shape. The usual
 * ones are made together at the start; the others one by one when an instruction first needs them.
 */
export class HandlerSet {
  readonly table: WebAssembly.Table;
  /** (record, cursor, cpu, tlb) → exit */
  readonly enter: (pc: number, cursor: number, cpu: number, tlb: number) => number;
  readonly #host: RuntimeHost;
  readonly #indexes = new Map<number, number>();
  /** by encoding: the handlers there are, for shapes whose meanings do not differ */
  readonly #variants = new Map<Encoding, { code: Uint8Array; index: number }[]>();
  #next = FIRST_HANDLER;
  /** wall-independent measures for --stats */
  moduleBytes = 0;
  handlers = 0;

  constructor(host: RuntimeHost, usual: Iterable<{ encoding: Encoding; key: number }>) {
    this.#host = host;
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE });
    const module = new ModuleWriter();
    const imports = importRuntime(module, host.memoryPages, host.shared, host.helpers);
    const { functions, pseudo, enter } = defineRuntime(module, imports);
    for (const [index, fn] of pseudo) module.addElements(index, [fn]);
    const bodies: number[] = [];
    for (const { encoding, key } of usual) {
      const code = emitHandler(encoding, key, functions);
      let index = this.#same(encoding, code.bytes);
      if (index === undefined) {
        index = this.#reserve(encoding, code.bytes);
        bodies.push(module.addFunction(functions.handlerType, code, handlerName(encoding, key)));
      }
      this.#indexes.set(handlerKey(encoding, key), index);
    }
    if (bodies.length > 0) module.addElements(FIRST_HANDLER, bodies);
    module.exportFunction('enter', enter);
    const exports = this.#instantiate(module);
    this.enter = exports['enter'] as HandlerSet['enter'];
    this.handlers = bodies.length;
  }

  /** Table index of the handler for `encoding` under the shape `key`; makes it when it is new. */
  index(encoding: Encoding, key: number): number {
    const found = this.#indexes.get(handlerKey(encoding, key));
    return found ?? this.#make(encoding, key);
  }

  /** What modules that `addModule` gets import. */
  get surroundings(): ModuleSurroundings {
    return this.#host;
  }

  /** Instantiates a module of `function-module.ts`, of so many bytes. */
  addModule(module: WebAssembly.Module, bytes: number): WebAssembly.Exports {
    this.moduleBytes += bytes;
    return new WebAssembly.Instance(module, {
      vm: { memory: this.#host.memory, table: this.table, ...this.#host.imports.vm },
      helpers: this.#host.imports.helpers,
    }).exports;
  }

  #make(encoding: Encoding, key: number): number {
    const module = new ModuleWriter();
    const imports = importRuntime(
      module,
      this.#host.memoryPages,
      this.#host.shared,
      this.#host.helpers,
    );
    const { functions } = defineRuntime(module, imports);
    const code = emitHandler(encoding, key, functions);
    const same = this.#same(encoding, code.bytes);
    if (same !== undefined) {
      this.#indexes.set(handlerKey(encoding, key), same);
      return same;
    }
    const index = this.#reserve(encoding, code.bytes);
    module.addElements(index, [
      module.addFunction(functions.handlerType, code, handlerName(encoding, key)),
    ]);
    this.#instantiate(module);
    this.#indexes.set(handlerKey(encoding, key), index);
    this.handlers++;
    return index;
  }

  /** The handler of `encoding` with this very code: shapes may differ in what the meaning does not look at. */
  #same(encoding: Encoding, code: Uint8Array): number | undefined {
    return this.#variants.get(encoding)?.find((variant) => sameBytes(variant.code, code))?.index;
  }

  /** A table index for a new handler. */
  #reserve(encoding: Encoding, code: Uint8Array): number {
    const index = this.#next++;
    if (index >= FIRST_REGION) throw new Error('Vivarium internal error: too many handlers');
    const variants = this.#variants.get(encoding);
    if (variants === undefined) this.#variants.set(encoding, [{ code, index }]);
    else variants.push({ code, index });
    return index;
  }

  #instantiate(module: ModuleWriter): WebAssembly.Exports {
    const bytes = module.finish({ names: true });
    return this.addModule(new WebAssembly.Module(bytes), bytes.length);
  }
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

function handlerKey(encoding: Encoding, key: number): number {
  return encoding.id * 2 ** SHAPE_KEY_BITS + key;
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

/** Attributes of encodings of which there are many and a guest uses few, as it uses few operands of 16 bits. */
const SELDOM = ['sse', 'mmx', 'fpu'] as const;

/** The encodings and shapes that 64-bit code uses every day. */
export function* usualShapes(
  encodings: readonly Encoding[],
  enabled: (encoding: Encoding) => boolean,
): Iterable<{ encoding: Encoding; key: number }> {
  for (const encoding of encodings) {
    const attributes = encoding.attributes;
    if (attributes.has('no64') || encoding.vex !== undefined || !enabled(encoding)) continue;
    if (SELDOM.some((each) => attributes.has(each))) continue;
    const canBeMemory =
      encoding.mod !== 'register' &&
      !encoding.operands.some(({ letter }) => letter === 'C' || letter === 'D') &&
      encoding.operands.some(({ letter }) => 'EWMQ'.includes(letter));
    const canBeRegister = encoding.mod !== 'memory' && encoding.immediate !== 'offset';
    const kinds: Parameters<typeof shapeKey>[0]['memory'][] = [];
    if (canBeRegister) kinds.push(undefined);
    if (canBeMemory) kinds.push('bd64', 'bis64', 'seg64');
    if (encoding.immediate === 'offset') kinds.push('offset');
    const sizes =
      attributes.has('f64') || attributes.has('d64') ? ([64] as const) : ([32, 64] as const);
    const repeats = attributes.has('rep')
      ? (['none', 'rep', 'repne'] as const)
      : (['none'] as const);
    for (const memory of kinds) {
      for (const operandSize of sizes) {
        for (const repeat of repeats) {
          yield {
            encoding,
            key: shapeKey({
              mode: 64,
              stackSize: 64,
              operandSize,
              addressSize: 64,
              memory,
              repeat,
              lock: false,
              vectorLength: undefined,
            }),
          };
        }
      }
    }
  }
}
