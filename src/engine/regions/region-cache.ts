import type { FramePool } from '../../memory/mod.ts';
import type { CodeCache, CodePage } from '../code-cache.ts';
import type { NamedFunction } from '../handlers/function-module.ts';
import { FIRST_REGION, type HandlerSet, REGION_SLOTS } from '../handlers/handler-set.ts';
import { FIRST_HANDLER } from '../handlers/runtime.ts';
import { RECORD } from '../record.ts';
import { factsOfKept, findCode, placesOfKept } from './adoption.ts';
import { type ArchivedRegion, CodeArchive, type KeptRegion } from './archive.ts';
import { type BatchCompiler, type BatchPolicy, DEFAULT_BATCHES, RegionBatches } from './batches.ts';
import { type CodeSource, discover, type RegionLimits } from './discover.ts';
import { completeGraph, type RegionDraft, type RegionGraph } from './graph.ts';
import { packJob } from './job.ts';
import type { JumpProfiles } from './profile.ts';
import { factsOfDraft, Region, type RegionFacts } from './region.ts';
import { RegionTables, type TablePlace } from './region-table.ts';
import type { RegionTrace } from './trace.ts';
import { buildRegion } from './translate.ts';
import { CHUNK_BITS, VolatileCode } from './volatile-code.ts';
import type { RegionWorkshop } from './workshop.ts';

/** A region is made again at most this often, after this many exits by indirect jumps (times eight each time). */
const MAX_GENERATION = 4;
const PROFILE_EXITS = 2000;
/** At rest, what was seen this often is translated for later runs, so much of it, and for so long at a time. */
const HEAT_AT_REST = 3;
const INSTRUCTIONS_AT_REST = 60;
const REST_NANOSECONDS = 10e6;
/** Regions that a workshop is asked for at a time. */
const MOST_ORDERS = 64;

/** When and how much is translated. */
export interface RegionPolicy extends RegionLimits {
  /** a place is translated when the sampler has seen it and what lies near it at least this often */
  readonly heat: number;
  /** ... and this often for each instruction of the region: large ones must pay for their translation */
  readonly heatEach: number;
  /** look at every place where execution enters compiled code, not only at samples: for tests */
  readonly eager: boolean;
  readonly batches: BatchPolicy;
}

export const DEFAULT_POLICY: RegionPolicy = {
  heat: 6,
  heatEach: 0.4,
  eager: false,
  instructions: 250,
  pages: 4,
  callDepth: 3,
  batches: DEFAULT_BATCHES,
};
/** Every instruction is translated before it first runs: for tests. */
export const EAGER_POLICY: Partial<RegionPolicy> = { heat: 1, heatEach: 0, eager: true };
/** What differs where translating takes little of the guest's time. */
const ORDERED: Partial<RegionPolicy> = { heatEach: 0.15 };

/** A place that a sample found. */
interface SampledPlace {
  readonly offset: number;
  readonly record: number;
  readonly source: () => CodeSource;
}

/** Samples seen of a piece of code since it was last translated, and how many are wanted. */
interface Heat {
  seen: number;
  wanted: number;
  /** the last of them, where code is kept for later runs */
  place?: SampledPlace | undefined;
}

/** What it takes to install a region. */
interface Installable {
  readonly module: WebAssembly.Module;
  readonly body: NamedFunction;
  readonly bytes: number;
  readonly table: TablePlace;
  readonly exits: Int32Array<ArrayBuffer>;
}

/**
 * Regions in use: which record leads to which, and which bytes they were made from. A region is installed
 * by making it the handler of its first instruction's record, so every way to that instruction finds it.
 */
export class RegionCache {
  readonly #handlers: HandlerSet;
  readonly #cache: CodeCache;
  readonly #profiles: JumpProfiles;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #policy: RegionPolicy;
  /** by chunk */
  readonly #heat = new Map<number, Heat>();
  readonly #volatile = new VolatileCode();
  readonly #regions = new Map<number, Region>();
  readonly #byFrame = new Map<number, Set<Region>>();
  readonly #own = new Map<number, number>();
  #next = FIRST_REGION;
  /** table indexes of dropped regions */
  readonly #free: number[] = [];
  readonly #tables: RegionTables;
  /** compiles again what stays in use */
  readonly #batches: RegionBatches | undefined;
  /** regions of earlier runs */
  readonly #archive: CodeArchive | undefined;
  /** what is translated here is kept for later ones */
  readonly #keeps: boolean;
  /** instructions decoded where a region of the archive may begin, and not looked at yet */
  #finds: { readonly page: CodePage; readonly offset: number; readonly record: number }[] = [];
  /** translates beside this thread */
  readonly #workshop: RegionWorkshop | undefined;
  /** regions that it works on, by job */
  readonly #ordered = new Map<number, Region>();
  /** dropped regions of its: they may still run, and their tables are given back when none does */
  readonly #retired: Region[] = [];
  #jobs = 0;
  /** jobs that were asked for before everything was dropped */
  #oldJobs = 0;
  /** called when a region goes out of use: it may be running */
  onDrop: () => void = () => {};
  /** with it, regions are marked and shown to it */
  trace: RegionTrace | undefined;
  regionsMade = 0;
  regionsDropped = 0;
  /** made in earlier runs and used again */
  regionsAdopted = 0;
  wasmBytes = 0;
  guestBytes = 0;
  /** on this thread, and on the workshop's */
  compileSeconds = 0;
  workshopSeconds = 0;

  constructor(
    handlers: HandlerSet,
    cache: CodeCache,
    profiles: JumpProfiles,
    pool: FramePool,
    policy: RegionPolicy,
    openWorkshop?: (tables: number) => RegionWorkshop | undefined,
    batchCompiler?: BatchCompiler,
  ) {
    this.#batches = batchCompiler && new RegionBatches(handlers, batchCompiler, policy.batches);
    this.#tables = new RegionTables(pool.memory.buffer, pool.reserve(RegionTables.bytes));
    this.#workshop = openWorkshop?.(pool.reserve(RegionTables.bytes));
    this.#profiles = profiles;
    this.#handlers = handlers;
    this.#cache = cache;
    this.#words = pool.words;
    this.#policy =
      this.#workshop === undefined || policy.eager ? policy : { ...policy, ...ORDERED };
    const archive = batchCompiler?.archive;
    this.#keeps = batchCompiler?.keeps === true;
    this.#archive = archive && new CodeArchive(archive, handlers);
    this.#bytes = pool.bytes;
    if (archive !== undefined && archive.length > 0)
      cache.onDecoded = (page, offset, record) => this.#decoded(page, offset, record);
    cache.ownHandler = (index) => this.#own.get(index) ?? index;
    cache.onInvalidate = (frame, offset, bytes) => this.#invalidate(frame, offset, bytes);
  }

  /** Every entry into compiled code counts as a sample. */
  get isEager(): boolean {
    return this.#policy.eager;
  }

  /** Regions installed now. */
  get count(): number {
    return this.#regions.size - this.#ordered.size;
  }

  /**
   * Execution was seen at `record`, whose instruction lies `offset` bytes into its page; `weight` says how much of it the
   * sample stands for, `isEntry` that execution has just come there from another region. True when a region is installed
   * there; `source` is asked for only when one is to be made.
   */
  sample(
    { map, frame }: CodePage,
    offset: number,
    record: number,
    weight: number,
    isEntry: boolean,
    source: () => CodeSource,
    now: () => number,
  ): boolean {
    const present = this.#regions.get(record);
    if (present !== undefined) {
      if (!present.isInstalled) return false;
      if (isEntry && present.origin !== undefined)
        return this.#sawAdopted(present, present.origin, source, now);
      if (!this.#outgrown(present)) {
        if (isEntry) this.#batches?.saw(present);
        return true;
      }
      return this.#makeAnew(present, present.facts.generation + 1, source(), now);
    }
    const isAdopted =
      this.#candidates(frame, offset).length > 0 && this.#adopt(offset, record, source());
    if (isAdopted) return true;
    const chunk = map + (offset >> CHUNK_BITS);
    let heat = this.#heat.get(chunk);
    if (heat === undefined) {
      heat = { seen: 0, wanted: this.#policy.heat };
      this.#heat.set(chunk, heat);
    }
    heat.seen += weight;
    if (this.#keeps) heat.place = { offset, record, source };
    if (heat.seen < heat.wanted) return false;
    const origin = source();
    return this.#make(record, origin, now, 0, () => this.#discoverPaid(offset, origin, heat));
  }

  /**
   * Execution has come into a region of the archive. One that was not hot when it was made is made anew when it is: by now
   * more is known of the code around it.
   */
  #sawAdopted(
    region: Region,
    origin: KeptRegion,
    source: () => CodeSource,
    now: () => number,
  ): boolean {
    const { generation } = region.facts;
    region.seen++;
    if (!origin.isHot && region.seen === this.#policy.batches.seen)
      return this.#makeAnew(region, generation, source(), now);
    return !this.#outgrown(region) || this.#makeAnew(region, generation + 1, source(), now);
  }

  /** Makes a region once more where `region` is. */
  #makeAnew(region: Region, generation: number, source: CodeSource, now: () => number): boolean {
    const { record, offset } = region.facts;
    this.#drop(region);
    const { instructions } = this.#policy;
    return this.#make(record, source, now, generation, () =>
      this.#discover(offset, source, instructions),
    );
  }

  /** Its indirect jumps went out often to places that could be inside. */
  #outgrown({ facts: { generation, profiles } }: Region): boolean {
    return (
      generation < MAX_GENERATION &&
      profiles.some((profile) => this.#profiles.count(profile) >= PROFILE_EXITS * 8 ** generation)
    );
  }

  /** Makes a region of what `discover` finds, or orders it. True when it is installed. */
  #make(
    record: number,
    source: CodeSource,
    now: () => number,
    generation: number,
    discover: () => RegionDraft | undefined,
  ): boolean {
    if (!this.#hasSlot || !this.#tables.hasRoom || this.#cache.guardedFrame(record) >= 0)
      return false;
    if (this.#ordered.size >= MOST_ORDERS) return false;
    const start = now();
    const draft = discover();
    const isInstalled = draft !== undefined && this.#begin(draft, record, source, generation);
    this.compileSeconds += (now() - start) / 1e9;
    return isInstalled;
  }

  /** The code of a region at `offset`, at most so many instructions. */
  #discover(offset: number, source: CodeSource, instructions: number): RegionDraft | undefined {
    const leavesOut = this.#leavesOut(source.frame(0), offset);
    return discover(source, offset, { ...this.#policy, instructions }, leavesOut);
  }

  /** The code of a region at `offset`, unless it has not been seen enough for its size. */
  #discoverPaid(offset: number, source: CodeSource, heat: Heat): RegionDraft | undefined {
    const policy = this.#policy;
    if (policy.eager) return this.#discover(offset, source, policy.instructions);
    const least = policy.heat * this.#volatile.patience(source.frame(0), offset);
    if (heat.seen < least) {
      heat.wanted = least;
      return undefined;
    }
    // Looks at no more code than is paid for: most places never get hot.
    const instructions = Math.min(policy.instructions, Math.ceil(heat.seen / policy.heatEach));
    const draft = this.#discover(offset, source, instructions);
    const isWhole =
      instructions === policy.instructions ||
      (draft !== undefined && draft.instructionCount < instructions);
    if (draft === undefined || !isWhole) {
      heat.wanted = 2 * heat.seen;
      return undefined;
    }
    Object.assign(heat, { seen: 0, wanted: policy.heat });
    return draft;
  }

  /** Which code is not taken into a region that begins at `offset` of `frame`. */
  #leavesOut(
    frame: number,
    offset: number,
  ): ((frame: number, inPage: number) => boolean) | undefined {
    // Code that is itself volatile may as well be with its like.
    if (this.#policy.eager || this.#volatile.isVolatile(frame, offset)) return undefined;
    return (other, inPage) => this.#volatile.isVolatile(other, inPage);
  }

  /** Makes a region, or orders it. True when it is installed. */
  #begin(draft: RegionDraft, record: number, source: CodeSource, generation: number): boolean {
    const first = draft.root.instructions[0];
    if (first === undefined || first.bails) return false;
    // What is traced is marked by this thread.
    const workshop = this.trace === undefined ? this.#workshop : undefined;
    const facts: RegionFacts = {
      job: workshop === undefined ? 0 : ++this.#jobs,
      index: this.#free.pop() ?? this.#next++,
      record,
      handler: first.handler,
      generation,
      ...factsOfDraft(draft, source),
    };
    const region = new Region(facts);
    this.#register(region);
    if (workshop === undefined) this.#translate(region, completeGraph(draft), source);
    else {
      const { job: id, index } = facts;
      this.#ordered.set(id, region);
      for (const { table } of this.#retired.splice(0)) workshop.release(table);
      workshop.submit(packJob(draft, { id, index }, source.record));
    }
    return region.isInstalled;
  }

  #translate(region: Region, graph: RegionGraph, source: CodeSource): void {
    if (this.trace !== undefined) graph.marks = [];
    const { bytes, body, table, exits } = buildRegion(
      this.#handlers.surroundings,
      this.#tables,
      region.index,
      graph,
      source.record,
    );
    this.trace?.made(source.base, graph, graph.marks ?? [], body.code.bytes);
    this.#install(region, {
      module: new WebAssembly.Module(bytes),
      bytes: bytes.length,
      body,
      table,
      exits,
    });
  }

  #install(region: Region, { module, bytes, body, table, exits }: Installable): void {
    this.#handlers.addModule(module, bytes);
    Object.assign(region, { table, isInstalled: true });
    if (this.#batches !== undefined) {
      region.body = body;
      if (this.#keeps) region.keep(this.#bytes, exits);
      this.#batches.made(region);
    }
    this.#enter(region);
    this.regionsMade++;
    this.wasmBytes += bytes;
    for (const { first, end } of region.facts.ranges) this.guestBytes += end - first;
  }

  #register(region: Region): void {
    this.#regions.set(region.facts.record, region);
    for (const { frame } of region.facts.ranges) {
      const set = this.#byFrame.get(frame) ?? new Set();
      set.add(region);
      this.#byFrame.set(frame, set);
    }
  }

  /** From now on the record leads to the region. `isNew`: nothing ever led to the record. */
  #enter({ facts: { index, record, handler } }: Region, isNew = false): void {
    this.#own.set(index, handler);
    this.#words[(record + RECORD.handler) >> 2] = index;
    if (!isNew) this.#cache.onHandlerChange();
  }

  // --- regions of the archive

  #decoded(page: CodePage, offset: number, record: number): boolean {
    if (page.mode.bits !== 64 || this.#candidates(page.frame, offset).length === 0) return false;
    this.#finds.push({ page, offset, record });
    return true;
  }

  #candidates(frame: number, offset: number): readonly ArchivedRegion[] {
    return this.#archive?.candidates(this.#bytes, frame, offset) ?? [];
  }

  /** Whether code was decoded where regions of the archive may begin. */
  get hasFinds(): boolean {
    return this.#finds.length > 0;
  }

  /** Installs the regions of the archive that begin in `page` at what was decoded since the last call. */
  adoptFinds(page: CodePage, source: CodeSource, now: () => number): void {
    const start = now();
    for (const find of this.#finds) {
      // Nobody was led to these records yet.
      if (find.page === page) this.#adopt(find.offset, find.record, source, true);
    }
    this.#finds = [];
    this.compileSeconds += (now() - start) / 1e9;
  }

  /** Installs a region of the archive that begins at `record`, if there is one whose code is all there. */
  #adopt(offset: number, record: number, source: CodeSource, isNew = false): boolean {
    // What is traced is made here.
    if (this.trace !== undefined || this.#regions.has(record) || source.mode.bits !== 64)
      return false;
    if (!this.#isOwn(record)) return false;
    const handler = this.#words[record >> 2] as number;
    for (const { kept, use } of this.#candidates(source.anyFrame(0), offset)) {
      const ranges = findCode(kept, source);
      if (ranges === undefined) continue;
      if (!this.#tables.hasRoom || !this.#hasSlot) return false;
      const words = this.#words;
      const places = placesOfKept(kept, source, handler, this.#cache, words, this.#profiles);
      const table = this.#tables.add(kept.exits, places);
      const used = use(table.at);
      if (used === undefined) {
        this.#tables.remove(table);
        continue;
      }
      const facts: RegionFacts = {
        job: 0,
        index: this.#free.pop() ?? this.#next++,
        ...{ record, handler },
        ...factsOfKept(kept, ranges, source),
      };
      const region = new Region(facts);
      Object.assign(region, { table, origin: kept, release: used.release, isInstalled: true });
      for (const { frame } of ranges) this.#cache.claim(frame);
      this.#register(region);
      this.#handlers.table.set(facts.index, used.function);
      this.#enter(region, isNew);
      this.regionsAdopted++;
      return true;
    }
    return false;
  }

  /** Room for another region in the table of handlers. */
  get #hasSlot(): boolean {
    return this.#free.length > 0 || this.#next < FIRST_REGION + REGION_SLOTS;
  }

  /** Called when the guest rests. True when there was something to do. */
  rest(now: () => number): boolean {
    if (!this.#keeps) return false;
    const isCompiling = this.#batches?.rest() === true;
    return this.#makeAtRest(now) || isCompiling;
  }

  /** What was seen too seldom to be translated so far, later runs shall find in the archive. */
  #makeAtRest(now: () => number): boolean {
    const end = now() + REST_NANOSECONDS;
    let isBusy = false;
    for (const heat of this.#heat.values()) {
      if (heat.place === undefined || heat.seen < HEAT_AT_REST) continue;
      if (now() > end) return true;
      isBusy = true;
      const { offset, record, source } = heat.place;
      Object.assign(heat, { seen: 0, wanted: this.#policy.heat, place: undefined });
      if (!this.#isOwn(record)) continue;
      const origin = source();
      this.#make(record, origin, now, 0, () =>
        this.#discover(offset, origin, INSTRUCTIONS_AT_REST),
      );
    }
    return isBusy;
  }

  /** Whether `record` leads to its own handler. */
  #isOwn(record: number): boolean {
    const handler = this.#words[record >> 2] as number;
    return handler >= FIRST_HANDLER && handler < FIRST_REGION;
  }

  // --- both kinds

  /** Regions that were compiled again for speed. */
  get batched(): number {
    return this.#batches?.regions ?? 0;
  }

  /** Installs what other threads have ready. */
  collect(now: () => number): void {
    this.#batches?.turn();
    const workshop = this.#workshop;
    if (workshop === undefined || this.#ordered.size === 0) return;
    const start = now();
    for (let product = workshop.take(); product !== undefined; product = workshop.take()) {
      const { id, module, bytes, body, table, exits, seconds } = product;
      this.workshopSeconds += seconds;
      const region = this.#ordered.get(id);
      if (region === undefined) {
        // It was dropped meanwhile.
        if (module !== undefined && id > this.#oldJobs) workshop.release(table);
        continue;
      }
      if (module === undefined || body === undefined) {
        this.#drop(region);
        continue;
      }
      this.#ordered.delete(id);
      this.#install(region, { module, bytes, body, table, exits });
    }
    this.compileSeconds += (now() - start) / 1e9;
  }

  /**
   * The region at `record` found a neighbour page missing from the execute TLB. `frame` translates a page,
   * by its number relative to the base page, and caches it; a region whose pages moved is dropped.
   */
  revalidate(record: number, frame: (page: number) => number): void {
    const region = this.#regions.get(record);
    if (region === undefined) return;
    for (const [page, expected] of region.facts.pages) {
      if (page !== 0 && frame(page) !== expected) {
        this.#drop(region);
        return;
      }
    }
  }

  /** Takes the region at `record` out of use. */
  drop(record: number): void {
    const region = this.#regions.get(record);
    if (region !== undefined) this.#drop(region);
  }

  #invalidate(frame: number, offset: number, bytes: number): void {
    const regions = this.#byFrame.get(frame);
    if (regions === undefined) return;
    let isHit = false;
    for (const region of [...regions]) {
      const hit = region.facts.ranges.some(
        (range) => range.frame === frame && offset < range.end && range.first < offset + bytes,
      );
      if (hit) this.#drop(region);
      isHit ||= hit;
    }
    if (isHit) this.#volatile.changed(frame, offset);
  }

  #drop(region: Region): void {
    const { job, index, record, handler, ranges } = region.facts;
    this.#regions.delete(record);
    for (const { frame } of ranges) this.#byFrame.get(frame)?.delete(region);
    this.#free.push(index);
    this.#ordered.delete(job);
    if (!region.isInstalled) return;
    region.isInstalled = false;
    this.onDrop();
    this.#cache.onHandlerChange();
    const at = (record + RECORD.handler) >> 2;
    if (this.#words[at] === index) this.#words[at] = handler;
    this.#own.delete(index);
    region.release?.();
    if (job === 0) this.#tables.remove(region.table);
    else this.#retired.push(region);
    this.regionsDropped++;
  }

  /** All records are gone. */
  clear(): void {
    this.regionsDropped += this.count;
    for (const region of this.#regions.values()) region.release?.();
    this.#finds = [];
    this.#regions.clear();
    this.#ordered.clear();
    this.#retired.length = 0;
    this.#oldJobs = this.#jobs;
    this.#workshop?.clear();
    this.#batches?.clear();
    this.#heat.clear();
    this.#volatile.clear();
    this.#byFrame.clear();
    this.#own.clear();
    this.#profiles.clear();
    this.#free.length = 0;
    this.#tables.clear();
    this.#next = FIRST_REGION;
  }
}
