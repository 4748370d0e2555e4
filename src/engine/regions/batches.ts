/** Regions that stay in use are compiled again, together and for speed, while the guest goes on. */
import {
  buildBatchModule,
  type ModuleSurroundings,
  type NamedFunction,
} from '../handlers/function-module.ts';
import type { KeptHandlers } from '../handlers/handler-module.ts';
import type { HandlerSet } from '../handlers/handler-set.ts';
import type { KeepableRegion, KeptBatch, KeptRegion } from './archive.ts';
import type { TablePlace } from './region-table.ts';

/** Compiles modules for speed, on another thread. Calls come from the thread that runs the guest. */
export interface BatchCompiler {
  /** what was kept of earlier runs */
  readonly archive?: readonly KeptBatch[] | undefined;
  /** it keeps what it compiles */
  readonly keeps: boolean;
  /** Asks for a module; the one before has been taken. `regions` is what is to be kept of its functions. */
  submit(bytes: Uint8Array<ArrayBuffer>, regions: readonly (KeptRegion | undefined)[]): void;
  /** The module, when it is ready. Never waits. */
  take(): WebAssembly.Module | undefined;
  /** handlers that it has kept */
  readonly handlers?: KeptHandlers | undefined;
  /** Asks that the handlers with these keys be compiled and kept for later runs. */
  submitHandlers(surroundings: ModuleSurroundings, keys: Float64Array<ArrayBuffer>): void;
}

/** A region as it takes part. */
export interface BatchMember {
  /** its slot of the table of handlers */
  readonly index: number;
  /** where its table is */
  readonly table: TablePlace;
  /** what runs there; forgotten once it is compiled for speed */
  body: NamedFunction | undefined;
  /** false once it is out of use */
  readonly isInstalled: boolean;
  /** samples of ways into it */
  seen: number;
  /** what to keep of it, if anything */
  readonly kept: KeepableRegion | undefined;
}

/** A guest that rests has this many regions compiled at least. */
const LEAST_AT_REST = 8;
/** ... of no more than this many. */
const MOST_OTHERS = 4096;

/** When and how many regions are compiled together. */
export interface BatchPolicy {
  /** samples of ways into a region that make it worth its time: one way in 128 is sampled */
  readonly seen: number;
  /** regions of a batch, at most */
  readonly most: number;
  /** ... and how many samples go by, whatever they find, before fewer are taken */
  readonly patience: number;
}

/** The host's own rule, which compiles one function at a time, would take a region of usual size twice as late. */
export const DEFAULT_BATCHES: BatchPolicy = { seen: 100, most: 64, patience: 1000 };

/**
 * A region's first code is made in a hurry by the host, which replaces only the hottest by better code, one by one and
 * late; and regions of a module each are strewn over as many pages of code. So flat code, a kernel's above all, which is
 * entered again and again, is compiled in batches.
 */
export class RegionBatches {
  readonly #handlers: HandlerSet;
  readonly #compiler: BatchCompiler;
  readonly #policy: BatchPolicy;
  #waiting: BatchMember[] = [];
  /** regions that have not been seen so often */
  readonly #others = new Set<BatchMember>();
  /** samples since the first of them came */
  #samples = 0;
  /** what is being compiled, and the bytes of its module */
  #ordered: readonly BatchMember[] | undefined;
  #orderedBytes = 0;
  /** batches installed, and regions in them */
  batches = 0;
  regions = 0;

  constructor(handlers: HandlerSet, compiler: BatchCompiler, policy: BatchPolicy) {
    this.#handlers = handlers;
    this.#compiler = compiler;
    this.#policy = policy;
  }

  /** A region was made. */
  made(region: BatchMember): void {
    if (region.kept !== undefined && this.#others.size < MOST_OTHERS) this.#others.add(region);
  }

  /** A sample found execution coming into `region`. */
  saw(region: BatchMember): void {
    if (region.body === undefined) return;
    region.seen++;
    if (region.seen !== this.#policy.seen) return;
    this.#waiting.push(region);
    this.#others.delete(region);
  }

  /** Called with each sample: installs the batch that is ready, and orders the next. */
  turn(): void {
    if (!this.#isFree()) return;
    const { most, patience } = this.#policy;
    if (this.#waiting.length === 0) this.#samples = 0;
    else if (this.#waiting.length >= most || ++this.#samples >= patience) this.#orderWaiting();
  }

  /**
   * Called when the guest rests: what was translated at all will be wanted again in other runs. False when there is
   * nothing to do.
   */
  rest(): boolean {
    if (!this.#isFree()) return true;
    if (this.#others.size < LEAST_AT_REST) return false;
    // Those out of use as well: code that has changed, as a kernel's does while it starts, is as before in the next run.
    const members = [...this.#others]
      .sort((left, right) => right.seen - left.seen)
      .slice(0, this.#policy.most);
    for (const member of members) this.#others.delete(member);
    this.#order(members, false);
    return true;
  }

  /** Installs the batch that is ready; false while one is being compiled. */
  #isFree(): boolean {
    if (this.#ordered === undefined) return true;
    const module = this.#compiler.take();
    if (module === undefined) return false;
    this.#install(this.#ordered, module);
    this.#ordered = undefined;
    return true;
  }

  /** All regions are out of use. */
  clear(): void {
    this.#waiting = [];
    this.#others.clear();
    if (this.#ordered !== undefined) this.#ordered = [];
  }

  #orderWaiting(): void {
    this.#samples = 0;
    this.#order(this.#waiting.splice(0, this.#policy.most).filter(isWanted), true);
  }

  #order(members: readonly BatchMember[], isHot: boolean): void {
    if (members.length === 0) return;
    const bodies = members.map(({ body }) => body as NamedFunction);
    const moves = this.#compiler.keeps;
    const bytes = buildBatchModule(this.#handlers.surroundings, bodies, moves);
    this.#ordered = members;
    this.#orderedBytes = bytes.length;
    this.#compiler.submit(
      bytes,
      members.map(({ kept }) => kept && { ...kept, isHot }),
    );
  }

  /** A slot whose region went out of use meanwhile may belong to another. */
  #install(members: readonly BatchMember[], module: WebAssembly.Module): void {
    const code = this.#handlers.addModule(module, this.#orderedBytes);
    for (const [number, member] of members.entries()) {
      if (!isWanted(member)) continue;
      const global = code[`global${number}`] as WebAssembly.Global | undefined;
      if (global !== undefined) global.value = member.table.at;
      this.#handlers.table.set(member.index, code[String(number)]);
      member.body = undefined;
      this.regions++;
    }
    this.batches++;
  }
}

function isWanted({ isInstalled, body }: BatchMember): boolean {
  return isInstalled && body !== undefined;
}
