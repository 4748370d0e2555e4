import type { FunctionCode } from '../../wasm/mod.ts';
import type { Encoding } from '../../x86/mod.ts';
import { shapeKey } from '../shape-key.ts';
import type { ModuleSurroundings } from './function-module.ts';
import {
  buildHandlerModule,
  buildOneHandler,
  type HandlerShape,
  HandlerVariants,
  handlerKey,
  type KeptHandlers,
} from './handler-module.ts';
import { FIRST_HANDLER, runtimeOf } from './runtime.ts';

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
 * ones are made together at the start, or were kept by an earlier run; the others one by one when an instruction
 * first needs them.
 */
export class HandlerSet {
  readonly table: WebAssembly.Table;
  /** (record, cursor, cpu, tlb) → exit */
  readonly enter: (pc: number, cursor: number, cpu: number, tlb: number) => number;
  readonly #host: RuntimeHost;
  /** by handlerKey */
  readonly #indexes = new Map<number, number>();
  /** of those made one by one */
  readonly #variants = new HandlerVariants();
  /** what their modules import of the first one's */
  #runtime: WebAssembly.ModuleImports = {};
  #next = FIRST_HANDLER;
  /** wall-independent measures for --stats */
  moduleBytes = 0;
  handlers = 0;
  /** those that no earlier run had kept */
  unkept = 0;

  constructor(host: RuntimeHost, usual: Iterable<HandlerShape>, kept?: KeptHandlers) {
    this.#host = host;
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE });
    const exports = this.#useKept(kept) ?? this.#makeUsual(usual);
    this.enter = exports['enter'] as HandlerSet['enter'];
    this.#runtime = runtimeOf(exports);
    this.handlers = this.#next - FIRST_HANDLER;
  }

  #useKept(kept: KeptHandlers | undefined): WebAssembly.Exports | undefined {
    const module = kept?.load();
    if (kept === undefined || module === undefined) return undefined;
    for (const [i, key] of kept.keys.entries()) {
      const index = kept.indexes[i] as number;
      this.#indexes.set(key, index);
      this.#next = Math.max(this.#next, index + 1);
    }
    return this.addModule(module, kept.bytes);
  }

  #makeUsual(usual: Iterable<HandlerShape>): WebAssembly.Exports {
    const { bytes, keys, indexes } = buildHandlerModule(this.#host, usual, false);
    for (const [i, key] of keys.entries()) this.#indexes.set(key, indexes[i] as number);
    this.#next = FIRST_HANDLER + new Set(indexes).size;
    this.unkept = keys.length;
    return this.addModule(new WebAssembly.Module(bytes), bytes.length);
  }

  /** Table index of the handler for `encoding` under the shape `key`; makes it when it is new. */
  index(encoding: Encoding, key: number): number {
    const found = this.#indexes.get(handlerKey(encoding, key));
    return found ?? this.#make({ encoding, key });
  }

  /** The shapes that there are handlers for, as numbers. */
  get keys(): Float64Array<ArrayBuffer> {
    return Float64Array.from(this.#indexes.keys());
  }

  /** What modules that `addModule` gets import. */
  get surroundings(): ModuleSurroundings {
    return this.#host;
  }

  /** Instantiates a module of `function-module.ts` or `handler-module.ts`, of so many bytes. */
  addModule(module: WebAssembly.Module, bytes: number): WebAssembly.Exports {
    this.moduleBytes += bytes;
    return new WebAssembly.Instance(module, {
      vm: {
        memory: this.#host.memory,
        table: this.table,
        ...this.#host.imports.vm,
        ...this.#runtime,
      },
      helpers: this.#host.imports.helpers,
    }).exports;
  }

  #make(shape: HandlerShape): number {
    const { encoding, key } = shape;
    let index = 0;
    const bytes = buildOneHandler(this.#host, shape, (code) => {
      const same = this.#variants.find(encoding, code);
      index = same ?? this.#reserve(encoding, code);
      return same === undefined ? index : undefined;
    });
    this.#indexes.set(handlerKey(encoding, key), index);
    this.unkept++;
    if (bytes !== undefined) this.addModule(new WebAssembly.Module(bytes), bytes.length);
    return index;
  }

  /** A table index for a new handler. */
  #reserve(encoding: Encoding, code: FunctionCode): number {
    const index = this.#next++;
    if (index >= FIRST_REGION) throw new Error('Vivarium internal error: too many handlers');
    this.#variants.add(encoding, code, index);
    this.handlers++;
    return index;
  }
}

/** Attributes of encodings of which there are many and a guest uses few, as it uses few operands of 16 bits. */
const SELDOM = ['sse', 'mmx', 'fpu'] as const;

/** The encodings and shapes that 64-bit code uses every day. */
export function* usualShapes(
  encodings: readonly Encoding[],
  enabled: (encoding: Encoding) => boolean,
): Iterable<HandlerShape> {
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
