/** Regions that were compiled for speed in earlier runs, of this machine or another: found again by the code they came from. */
import type { HandlerSet } from '../handlers/handler-set.ts';

/** What is kept of a region besides its code. */
export interface KeptRegion {
  /** where it begins in its base page, and the bytes that lie there: see HEAD_BYTES */
  readonly offset: number;
  readonly head: Uint8Array<ArrayBuffer>;
  /** its neighbour pages */
  readonly pages: readonly number[];
  /** the guest's code that it was made from, by page: where it holds, so does the region */
  readonly code: readonly {
    readonly page: number;
    readonly first: number;
    readonly bytes: Uint8Array<ArrayBuffer>;
  }[];
  /** its exits, packed: see region-table.ts */
  readonly exits: Int32Array<ArrayBuffer>;
  /** how often it had been made when it was kept */
  readonly generation: number;
  /** it was entered often when it was compiled, so that what is around it was known well */
  readonly isHot: boolean;
}

/** As long as it has not been compiled for speed. */
export type KeepableRegion = Omit<KeptRegion, 'isHot'>;

/** Regions compiled together. */
export interface KeptBatch {
  /** by their numbers in the module; undefined: one that was not kept */
  readonly regions: readonly (KeptRegion | undefined)[];
  /** bytes of its module */
  readonly bytes: number;
  /** The module; undefined when it cannot be had any more. */
  load(): WebAssembly.Module | undefined;
}

/** A region as it was found in the archive. */
export interface ArchivedRegion {
  readonly kept: KeptRegion;
  /** Its function, which finds its table at `table`; undefined when it cannot be had any more. */
  use(table: number): UsedFunction | undefined;
}

export interface UsedFunction {
  readonly function: WebAssembly.ExportValue;
  /** It is out of use. */
  release(): void;
}

/** Bytes of code by which regions are looked up, besides their offsets; fewer at the end of a page. */
const HEAD_BYTES = 4;

/** The archive as a machine uses it. */
export class CodeArchive {
  readonly #byKey = new Map<number, ArchivedRegion[]>();
  /** 1 for offsets in a page at which some region begins: most instructions are done with after a look here */
  readonly #offsets = new Uint8Array(4096);

  constructor(batches: readonly KeptBatch[], handlers: HandlerSet) {
    for (const batch of batches) {
      const instances = new BatchInstances(batch, handlers);
      for (const [number, kept] of batch.regions.entries()) {
        if (kept !== undefined) this.#add(kept, (table) => instances.use(number, table));
      }
    }
    for (const list of this.#byKey.values())
      list.sort((left, right) => rank(right.kept) - rank(left.kept));
  }

  #add(kept: KeptRegion, use: ArchivedRegion['use']): void {
    const key = keyOf(kept.offset, kept.head, 0);
    const list = this.#byKey.get(key);
    if (list === undefined) this.#byKey.set(key, [{ kept, use }]);
    else list.push({ kept, use });
    this.#offsets[kept.offset] = 1;
  }

  /** Regions that may begin `offset` bytes into the page at `page` of `memory`, the best ones first. */
  candidates(memory: Uint8Array, page: number, offset: number): readonly ArchivedRegion[] {
    if (this.#offsets[offset] === 0) return [];
    return this.#byKey.get(keyOf(offset, memory, page + offset)) ?? [];
  }
}

/** The better ones are made with more knowledge. */
function rank({ generation, isHot }: KeptRegion): number {
  return 2 * generation + (isHot ? 1 : 0);
}

/** The bytes at `offset` of the page at `page` of `memory` by which a region is looked up. */
export function headOf(memory: Uint8Array, page: number, offset: number): Uint8Array<ArrayBuffer> {
  return memory.slice(
    page + offset,
    page + Math.min(4096, offset + HEAD_BYTES),
  ) as Uint8Array<ArrayBuffer>;
}

/** An offset and the bytes that lie there, at `at` of `bytes`, as one number. */
function keyOf(offset: number, bytes: Uint8Array, at: number): number {
  let key = offset;
  const end = Math.min(HEAD_BYTES, 4096 - offset);
  for (let i = 0; i < end; i++) key = key * 256 + (bytes[at + i] as number);
  return key;
}

interface Instance {
  readonly code: WebAssembly.Exports;
  /** functions in use, by number */
  readonly used: Set<number>;
}

/**
 * A function has one global, and so one table: where the same guest code lies twice, the second region needs another
 * instance of the module.
 */
class BatchInstances {
  readonly #batch: KeptBatch;
  readonly #handlers: HandlerSet;
  #module: WebAssembly.Module | undefined;
  readonly #instances: Instance[] = [];
  #isLost = false;

  constructor(batch: KeptBatch, handlers: HandlerSet) {
    this.#batch = batch;
    this.#handlers = handlers;
  }

  use(number: number, table: number): UsedFunction | undefined {
    const instance = this.#instances.find(({ used }) => !used.has(number)) ?? this.#open();
    if (instance === undefined) return undefined;
    const { code, used } = instance;
    used.add(number);
    (code[`global${number}`] as WebAssembly.Global).value = table;
    return {
      function: code[String(number)] as WebAssembly.ExportValue,
      release: () => void used.delete(number),
    };
  }

  #open(): Instance | undefined {
    if (this.#module === undefined && !this.#isLost) {
      this.#module = this.#batch.load();
      this.#isLost = this.#module === undefined;
    }
    if (this.#module === undefined) return undefined;
    const isFirst = this.#instances.length === 0;
    const code = this.#handlers.addModule(this.#module, isFirst ? this.#batch.bytes : 0);
    const instance = { code, used: new Set<number>() };
    this.#instances.push(instance);
    return instance;
  }
}
