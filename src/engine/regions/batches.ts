/** Regions that stay in use are compiled again, together and for speed, while the guest goes on. */
import { buildBatchModule, type NamedFunction } from '../handlers/function-module.ts';
import type { HandlerSet } from '../handlers/handler-set.ts';
import type { TablePlace } from './region-table.ts';

/** Compiles modules for speed, on another thread. Calls come from the thread that runs the guest. */
export interface BatchCompiler {
  /** Asks for a module; the one before has been taken. */
  submit(bytes: Uint8Array<ArrayBuffer>): void;
  /** The module, when it is ready. Never waits. */
  take(): WebAssembly.Module | undefined;
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
}

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

  /** A sample found execution coming into `region`. */
  saw(region: BatchMember): void {
    if (region.body === undefined) return;
    region.seen++;
    if (region.seen === this.#policy.seen) this.#waiting.push(region);
  }

  /** Called with each sample: installs the batch that is ready, and orders the next. */
  turn(): void {
    if (this.#ordered !== undefined) {
      const module = this.#compiler.take();
      if (module === undefined) return;
      this.#install(this.#ordered, module);
      this.#ordered = undefined;
    }
    const { most, patience } = this.#policy;
    if (this.#waiting.length === 0) this.#samples = 0;
    else if (this.#waiting.length >= most || ++this.#samples >= patience) this.#order();
  }

  /** All regions are out of use. */
  clear(): void {
    this.#waiting = [];
    if (this.#ordered !== undefined) this.#ordered = [];
  }

  #order(): void {
    this.#samples = 0;
    const members = this.#waiting.splice(0, this.#policy.most).filter(isWanted);
    if (members.length === 0) return;
    const bodies = members.map(({ body }) => body as NamedFunction);
    const bytes = buildBatchModule(this.#handlers.surroundings, bodies);
    this.#ordered = members;
    this.#orderedBytes = bytes.length;
    this.#compiler.submit(bytes);
  }

  /** A slot whose region went out of use meanwhile may belong to another. */
  #install(members: readonly BatchMember[], module: WebAssembly.Module): void {
    const code = this.#handlers.addModule(module, this.#orderedBytes);
    for (const [number, member] of members.entries()) {
      if (!isWanted(member)) continue;
      (code[`global${number}`] as WebAssembly.Global).value = member.table.at;
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
