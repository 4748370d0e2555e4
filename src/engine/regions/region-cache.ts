import type { FramePool } from '../../memory/mod.ts';
import type { CodeCache } from '../code-cache.ts';
import { FIRST_REGION, type HandlerSet, REGION_SLOTS } from '../handlers/handler-set.ts';
import { RECORD } from '../record.ts';
import { type CodeSource, discover, type RegionLimits } from './discover.ts';
import { ExitTables, type RegionExit } from './exit-table.ts';
import type { RegionGraph } from './graph.ts';
import type { JumpProfiles } from './profile.ts';
import type { RegionTrace } from './trace.ts';
import { translateRegion } from './translate.ts';
import { CHUNK_BITS, VolatileCode } from './volatile-code.ts';

const PAGE = 4096;
/** A region is made again at most this often, after this many exits by indirect jumps (times eight each time). */
const MAX_GENERATION = 4;
const PROFILE_EXITS = 200;

/** When and how much is translated. */
export interface RegionPolicy extends RegionLimits {
  /** a place is translated when the sampler has seen it and what lies near it at least this often */
  readonly heat: number;
  /** ... and this often for each instruction of the region: large ones must pay for their translation */
  readonly heatEach: number;
  /** look at every place where execution enters compiled code, not only at samples: for tests */
  readonly eager: boolean;
}

export const DEFAULT_POLICY: RegionPolicy = {
  heat: 6,
  heatEach: 0.6,
  eager: false,
  instructions: 250,
  pages: 4,
  callDepth: 3,
};

/** Samples seen of a piece of code since it was last translated, and how many are wanted. */
interface Heat {
  seen: number;
  wanted: number;
}

interface Region {
  readonly index: number;
  /** record whose handler is the region, and what was there before */
  readonly record: number;
  readonly handler: number;
  /** its table of exits, and how many they are */
  readonly exitTable: number;
  readonly exits: number;
  /** profiles of the indirect jumps that leave it, and how often it was made */
  readonly profiles: readonly number[];
  readonly generation: number;
  /** pages around the base page that it spans, with their frames */
  readonly pages: ReadonlyMap<number, number>;
  /** code bytes by frame: [first, end) */
  readonly ranges: { readonly frame: number; readonly first: number; readonly end: number }[];
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
  readonly #exitTables: ExitTables;
  /** called when a region goes out of use: it may be running */
  onDrop: () => void = () => {};
  /** with it, regions are marked and shown to it */
  trace: RegionTrace | undefined;
  regionsMade = 0;
  regionsDropped = 0;
  wasmBytes = 0;
  guestBytes = 0;
  compileSeconds = 0;

  constructor(
    handlers: HandlerSet,
    cache: CodeCache,
    profiles: JumpProfiles,
    pool: FramePool,
    policy: RegionPolicy,
  ) {
    this.#exitTables = new ExitTables(pool);
    this.#profiles = profiles;
    this.#handlers = handlers;
    this.#cache = cache;
    this.#words = pool.words;
    this.#policy = policy;
    cache.ownHandler = (index) => this.#own.get(index) ?? index;
    cache.onInvalidate = (frame, offset, bytes) => this.#invalidate(frame, offset, bytes);
  }

  /** Every entry into compiled code counts as a sample. */
  get isEager(): boolean {
    return this.#policy.eager;
  }

  /** Regions installed now. */
  get count(): number {
    return this.#regions.size;
  }

  /**
   * Execution was seen at `record`, whose instruction lies `offset` bytes into its page, the one whose
   * records `map` lists; `weight` says how much of it the sample stands for. True when a region is installed
   * there; `source` is asked for only when one is to be made.
   */
  sample(
    map: number,
    offset: number,
    record: number,
    weight: number,
    source: () => CodeSource,
    now: () => number,
  ): boolean {
    const present = this.#regions.get(record);
    if (present !== undefined) {
      if (!this.#outgrown(present)) return true;
      this.#drop(present);
      return this.#make(offset, record, source(), now, present.generation + 1, undefined);
    }
    const chunk = map + (offset >> CHUNK_BITS);
    let heat = this.#heat.get(chunk);
    if (heat === undefined) {
      heat = { seen: 0, wanted: this.#policy.heat };
      this.#heat.set(chunk, heat);
    }
    heat.seen += weight;
    return heat.seen >= heat.wanted && this.#make(offset, record, source(), now, 0, heat);
  }

  /** Its indirect jumps went out often to places that could be inside. */
  #outgrown(region: Region): boolean {
    return (
      region.generation < MAX_GENERATION &&
      region.profiles.some(
        (profile) => this.#profiles.count(profile) >= PROFILE_EXITS * 8 ** region.generation,
      )
    );
  }

  #make(
    offset: number,
    record: number,
    source: CodeSource,
    now: () => number,
    generation: number,
    heat: Heat | undefined,
  ): boolean {
    if (this.#free.length === 0 && this.#next >= FIRST_REGION + REGION_SLOTS) return false;
    if (!this.#exitTables.hasRoom || this.#cache.guardedFrame(record) >= 0) return false;
    const start = now();
    const graph = discover(source, offset, this.#policy, this.#leavesOut(source.frame(0), offset));
    const wanted = Math.max(
      (graph?.instructionCount ?? 0) * this.#policy.heatEach,
      this.#policy.eager ? 0 : this.#policy.heat * this.#volatile.patience(source.frame(0), offset),
    );
    let done = false;
    if (heat !== undefined && heat.seen < wanted) heat.wanted = wanted;
    else {
      done = graph !== undefined && this.#install(graph, record, source, generation);
      if (heat !== undefined) Object.assign(heat, { seen: 0, wanted: this.#policy.heat });
    }
    this.compileSeconds += (now() - start) / 1e9;
    return done;
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

  #install(graph: RegionGraph, record: number, source: CodeSource, generation: number): boolean {
    const first = graph.root.instructions[0];
    if (first === undefined || first.bails) return false;
    const index = this.#free.pop() ?? this.#next++;
    if (this.trace !== undefined) graph.marks = [];
    let exitTable = 0;
    let exits = 0;
    const placeExits = (list: readonly RegionExit[]): number => {
      // A region may be emitted more than once: the last table counts.
      if (exitTable !== 0) this.#exitTables.remove(exitTable, exits);
      exits = list.length;
      exitTable = this.#exitTables.add(list);
      return exitTable;
    };
    const bytes = this.#handlers.addFunctions(index, (helper, handlerType, types) => {
      const f = translateRegion(helper, handlerType, types, graph, source.record, placeExits);
      const code = f.finish();
      this.trace?.made(source.base, graph, graph.marks ?? [], code);
      return [{ name: `region@${first.at.toString(16)}`, code }];
    });
    const region: Region = {
      index,
      record,
      handler: first.handler,
      exitTable,
      exits,
      generation,
      profiles: profilesOf(graph),
      pages: graph.pages,
      ranges: rangesOf(graph, source),
    };
    this.#regions.set(record, region);
    this.#own.set(index, first.handler);
    for (const { frame } of region.ranges) {
      const set = this.#byFrame.get(frame) ?? new Set();
      set.add(region);
      this.#byFrame.set(frame, set);
    }
    this.#words[(record + RECORD.handler) >> 2] = index;
    this.regionsMade++;
    this.wasmBytes += bytes;
    for (const { first, end } of region.ranges) this.guestBytes += end - first;
    return true;
  }

  /**
   * The region at `record` found a neighbour page missing from the execute TLB. `frame` translates a page,
   * by its number relative to the base page, and caches it; a region whose pages moved is dropped.
   */
  revalidate(record: number, frame: (page: number) => number): void {
    const region = this.#regions.get(record);
    if (region === undefined) return;
    for (const [page, expected] of region.pages) {
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
      const hit = region.ranges.some(
        (range) => range.frame === frame && offset < range.end && range.first < offset + bytes,
      );
      if (hit) this.#drop(region);
      isHit ||= hit;
    }
    if (isHit) this.#volatile.changed(frame, offset);
  }

  #drop(region: Region): void {
    this.onDrop();
    const at = (region.record + RECORD.handler) >> 2;
    if (this.#words[at] === region.index) this.#words[at] = region.handler;
    this.#regions.delete(region.record);
    for (const { frame } of region.ranges) this.#byFrame.get(frame)?.delete(region);
    this.#own.delete(region.index);
    this.#exitTables.remove(region.exitTable, region.exits);
    this.#free.push(region.index);
    this.regionsDropped++;
  }

  /** All records are gone. */
  clear(): void {
    this.regionsDropped += this.#regions.size;
    this.#regions.clear();
    this.#heat.clear();
    this.#volatile.clear();
    this.#byFrame.clear();
    this.#own.clear();
    this.#profiles.clear();
    this.#free.length = 0;
    this.#exitTables.clear();
    this.#next = FIRST_REGION;
  }
}

function profilesOf(graph: RegionGraph): number[] {
  const profiles = new Set<number>();
  for (const block of graph.blocks)
    for (const { profile } of block.instructions) if (profile !== 0) profiles.add(profile);
  return [...profiles];
}

/** The bytes of the region's instructions, merged, by frame. */
function rangesOf(graph: RegionGraph, source: CodeSource): Region['ranges'] {
  const ranges: { frame: number; first: number; end: number }[] = [];
  for (const block of graph.blocks) {
    for (const { at, length } of block.instructions) {
      for (let byte = at; byte < at + length; ) {
        const page = Math.floor(byte / PAGE);
        const end = Math.min(at + length, (page + 1) * PAGE);
        const frame = source.frame(page);
        const first = byte - page * PAGE;
        const last = ranges.at(-1);
        if (last !== undefined && last.frame === frame && last.end === first)
          last.end = end - page * PAGE;
        else ranges.push({ frame, first, end: end - page * PAGE });
        byte = end;
      }
    }
  }
  return ranges;
}
