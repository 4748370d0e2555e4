import {
  CS,
  Decoder,
  EFLAGS,
  type Encoding,
  type GuestFault,
  type Helper,
  type OpcodeTable,
  SEGMENT,
  STATE,
  WATCHED,
} from '../x86/mod.ts';
import { ACCESS_EXECUTE } from '../x86/paging/mod.ts';
import { AccessSamples } from './access-samples.ts';
import { ATTENTION, BaseVcpu } from './base-vcpu.ts';
import { CodeCache, type CodePage } from './code-cache.ts';
import type { VcpuExit, VcpuHost, VcpuStats } from './engine.ts';
import { HandlerSet, usualShapes } from './handlers/handler-set.ts';
import { FIRST_HANDLER, type HelperSignature } from './handlers/runtime.ts';
import { FAULTED, NOT_RAM } from './mmu.ts';
import { EXIT, RECORD } from './record.ts';
import type { BatchCompiler } from './regions/batches.ts';
import type { CodeSource } from './regions/discover.ts';
import { JumpProfiles } from './regions/profile.ts';
import { DEFAULT_POLICY, RegionCache, type RegionPolicy } from './regions/region-cache.ts';
import { RegionTrace, type TraceRequest } from './regions/trace.ts';
import type { RegionWorkshop, WorkshopPlace } from './regions/workshop.ts';
import { compileRoutines } from './routines.ts';
import { shapeKeyOf } from './shape-key.ts';
import { TLB } from './tlb-layout.ts';

/** Longest stretch between two looks at the clock and the devices, in instructions. */
const MAX_BUDGET = 2 ** 24;
const CS_BASE = STATE.segments + CS * SEGMENT.bytes + SEGMENT.base;

/** Execution is looked at this often, in instructions: what is seen several times is hot. */
const SAMPLE_INSTRUCTIONS = 4096;
/** A sample that is due when a budget ends is taken after so many more. */
const LATE_SAMPLE_INSTRUCTIONS = 64;
/** While samples find translated code, slices grow up to this. */
const LONG_SLICE_INSTRUCTIONS = 65_536;

/** So many handlers that no earlier run had are worth compiling all of them for later runs. */
const UNKEPT_HANDLERS = 64;

export interface InterpOptions {
  /** translate hot code; undefined runs handlers alone */
  readonly regions?: Partial<RegionPolicy> | undefined;
  /** keep what was translated, to show it in the statistics as `trace` */
  readonly trace?: TraceRequest | undefined;
  /** translates regions beside the guest; without it they are made while the guest waits */
  readonly workshop?: ((place: WorkshopPlace) => RegionWorkshop | undefined) | undefined;
  /** compiles for speed what stays in use */
  readonly batchCompiler?: BatchCompiler | undefined;
  /** monotonic host nanoseconds, for the time spent translating */
  readonly now?: () => number;
}

/**
 * The engine behind `bt` and `interp`: decoded records and threaded handlers for cold code, regions of
 * WebAssembly for hot code.
 */
export class InterpVcpu extends BaseVcpu {
  readonly decoder: Decoder;
  readonly handlers: HandlerSet;
  readonly cache: CodeCache;
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  #instructions = 0;
  /** what long instructions took besides, in instructions: since `run` began, and not taken off #left yet */
  #spent = 0;
  #unpaid = 0;
  /** what is left of the present `run`, in bytes of records */
  #left = 0;
  readonly #regions: RegionCache | undefined;
  readonly #batchCompiler: BatchCompiler | undefined;
  readonly #profiles: JumpProfiles;
  readonly #accesses = new AccessSamples();
  readonly #trace: RegionTrace | undefined;
  readonly #now: () => number;
  #sampled = false;
  /** the sample is the target of a region's exit: it says nothing of how much runs untranslated */
  #hot = false;
  /** record whose guard failed last, and what was left of the budget then */
  #guarded = 0;
  #guardedLeft = 0;
  /** a helper faulted after it had continued elsewhere: STATE.rip is where the fault belongs */
  #faultedElsewhere = false;
  /** instructions to the next sample */
  #slice = SAMPLE_INSTRUCTIONS;
  /** what is left of the present slice, in bytes of records: slices last over several budgets */
  #untilSample = SAMPLE_INSTRUCTIONS * RECORD.bytes;
  #jitter = 1;
  #nextLow = 0;
  #nextHigh = 0;

  /** Frame behind the page being decoded, for instructions that cross into it. */
  readonly #nextPage = {
    frameAfter: (): number => {
      const place = this.mmu.translate(
        this.#nextLow,
        this.#nextHigh,
        ACCESS_EXECUTE,
        this.mmu.privilege,
      );
      if (place === NOT_RAM) return this.#executeDevice();
      if (place < 0) return -1;
      const page = this.cache.page(place, this.mode);
      this.#fillExecute(this.#nextLow, this.#nextHigh, page);
      return place;
    },
  };

  constructor(
    host: VcpuHost,
    table: OpcodeTable,
    helpers: Readonly<Record<string, Helper>>,
    options: InterpOptions = {},
  ) {
    super(host);
    const pool = host.memory.pool;
    this.#words = pool.words;
    this.#halves = new Uint16Array(pool.memory.buffer);
    this.decoder = new Decoder(table, (feature) => host.model.has(feature));
    const signatures = new Map<string, HelperSignature>();
    const helperImports: WebAssembly.ModuleImports = {};
    for (const [name, helper] of Object.entries(helpers)) {
      signatures.set(name, { params: helper.params, result: helper.result ?? 'i32' });
      helperImports[name] =
        helper.result === undefined
          ? (...args: unknown[]) => this.#effect(helper, args)
          : (...args: unknown[]) => helper.run(this, ...args);
    }
    const memoryPages = pool.bytes.length / 65_536;
    Object.assign(
      helperImports,
      compileRoutines(helpers, pool.memory, memoryPages, this.state.base),
    );
    const mmu = this.mmu;
    const place = { memory: pool.memory, shared: true, helpers: signatures };
    this.handlers = new HandlerSet(
      {
        ...place,
        imports: {
          vm: {
            loadSlow: (low: number, high: number, bytes: number) => mmu.loadSlow(low, high, bytes),
            updateSlow: (low: number, high: number, bytes: number) =>
              mmu.updateSlow(low, high, bytes),
            storeSlow: (low: number, high: number, bytes: number) =>
              mmu.storeSlow(low, high, bytes),
          },
          helpers: helperImports,
        },
      },
      usualShapes(table.encodings, (encoding) => this.#announced(encoding)),
      options.batchCompiler?.handlers,
    );
    this.cache = new CodeCache(pool, host.memory, this.decoder, this.handlers);
    this.cache.onCodeFrame = (frame) => mmu.tlb.protectFrame(frame);
    this.cache.onHandlerChange = () => mmu.tlb.forgetTargets();
    this.#profiles = new JumpProfiles(pool);
    this.#now = options.now ?? (() => 0);
    const { workshop, batchCompiler } = options;
    this.#batchCompiler = batchCompiler;
    this.#regions =
      options.regions === undefined
        ? undefined
        : new RegionCache(
            this.handlers,
            this.cache,
            this.#profiles,
            pool,
            { ...DEFAULT_POLICY, ...options.regions },
            workshop && ((tables) => workshop({ ...place, tables })),
            batchCompiler,
          );
    this.#trace = options.trace === undefined ? undefined : new RegionTrace(options.trace);
    if (this.#regions !== undefined) this.#regions.trace = this.#trace;
    if (this.#regions !== undefined)
      this.#regions.onDrop = () => this.state.set32(STATE.attention, ATTENTION);
    this.cache.onFlush = () => {
      mmu.tlb.flushExecute();
      this.#regions?.clear();
    };
    mmu.onCodeWrite = (frame, offset, bytes) => this.cache.invalidate(frame, offset, bytes);
    host.memory.codeWriteListener = (frame, offset, bytes) =>
      this.cache.invalidate(frame, offset, bytes);
  }

  #announced(encoding: Encoding): boolean {
    for (const attribute of encoding.attributes) {
      if (attribute.startsWith('cpuid:') && !this.host.model.has(attribute.slice(6))) return false;
    }
    return true;
  }

  // --- called from compiled code

  #effect(helper: Helper, args: readonly unknown[]): number {
    this.redirected = false;
    const fault = this.runHelper(helper, args);
    const state = this.state;
    if (fault !== undefined) {
      this.#recordFault(fault);
      if (this.redirected) this.#faultedElsewhere = true;
      return EXIT.fault;
    }
    if (state.get32(STATE.pendingDebug) !== 0) {
      if (!this.redirected) state.set64(STATE.rip, this.nextRip());
      return EXIT.stop;
    }
    if (state.get32(STATE.halted) !== 0) {
      if (!this.redirected) state.set64(STATE.rip, this.nextRip());
      return EXIT.halt;
    }
    if (this.exitRequested) {
      if (!this.redirected) state.set64(STATE.rip, this.nextRip());
      return EXIT.stop;
    }
    return this.redirected ? EXIT.redirect : 0;
  }

  #recordFault(fault: GuestFault): void {
    const state = this.state;
    state.set32(STATE.faultVector, fault.vector);
    state.set32(STATE.faultErrorCode, fault.errorCode);
    if (fault.address !== undefined)
      state.set64(STATE.faultAddress, BigInt.asUintN(64, fault.address));
  }

  spent(instructions: number): void {
    const whole = Math.ceil(instructions);
    this.#spent += whole;
    this.#unpaid += whole;
    this.state.set32(STATE.attention, ATTENTION);
  }

  #pay(): void {
    this.#left -= this.#unpaid * RECORD.bytes;
    this.#unpaid = 0;
  }

  currentRip(): bigint {
    return this.#ripOf(this.state.get32(STATE.pc), false);
  }
  nextRip(): bigint {
    return this.#ripOf(this.state.get32(STATE.pc), true);
  }

  #ripOf(record: number, next: boolean): bigint {
    const start = this.#halves[(record + RECORD.start) >> 1] as number;
    const length = next ? (this.linear[record + RECORD.length] as number) : 0;
    const rip = this.state.get64(STATE.ripBase) + BigInt(start + length);
    return BigInt.asUintN(this.mode.bits === 64 ? 64 : 32, rip);
  }

  // --- running

  run(budget: number): VcpuExit {
    const state = this.state;
    const mmu = this.mmu;
    const total = Math.min(budget, MAX_BUDGET) * RECORD.bytes;
    this.#left = total;
    this.#spent = 0;
    this.exitRequested = false;
    let exit: VcpuExit | undefined;
    let events = true;
    while (exit === undefined) {
      if (state.get32(STATE.pendingDebug) !== 0) {
        if (!this.deliverPendingDebug()) exit = 'shutdown';
        continue;
      }
      // Interrupts wait for the instruction behind a load of SS.
      let alone = this.heldDebug !== 0;
      const wanted = events || state.get32(STATE.attention) !== 0;
      if (wanted && this.behindStackLoad() && !this.exitRequested) alone = true;
      else if (wanted) {
        events = false;
        state.set32(STATE.attention, 0);
        if (this.exitRequested) {
          exit = 'budget';
          break;
        }
        if (!this.deliverEvents()) {
          exit = 'shutdown';
          break;
        }
        if (state.get32(STATE.halted) !== 0) {
          exit = 'halt';
          break;
        }
      }
      if (this.#left <= 0) {
        exit = 'budget';
        break;
      }
      alone ||= (state.get32(STATE.eflags) & (EFLAGS.TF | EFLAGS.RF)) !== 0;
      if (mmu.breakpoints.hasCode) {
        const linear = this.#linearRip();
        const met = this.meetBreakpoint(linear);
        if (met === false) exit = 'shutdown';
        if (met !== undefined) {
          // As below: its handler may begin with a breakpoint.
          this.#left -= RECORD.bytes;
          continue;
        }
        alone ||= mmu.breakpoints.coversPage(linear & ~0xfffn, true);
      }
      const record = this.#find();
      if (record < 0) {
        this.#left -= RECORD.bytes;
        if (!this.deliverException(this.mmu.recordedFault(), state.get64(STATE.rip)))
          exit = 'shutdown';
        continue;
      }
      // A page with breakpoints is not in the execute TLB, where what guards a crossing into it looks for it.
      alone ||= mmu.breakpoints.hasCode && this.cache.guardedFrame(record) >= 0;
      if (alone) {
        if (!this.#step(record)) exit = 'shutdown';
        continue;
      }
      // Execution goes in slices, so that the places where they end show what is hot.
      const slice =
        this.#regions === undefined ? this.#left : Math.min(this.#left, this.#untilSample);
      mmu.stopsAtWatched = mmu.breakpoints.hasData;
      const code = this.handlers.enter(record, record + slice, state.base, state.get32(STATE.tlb));
      mmu.stopsAtWatched = false;
      const used = slice - (state.get32(STATE.budget) | 0);
      this.#left -= used;
      this.#untilSample -= used;
      this.#pay();
      switch (code) {
        case EXIT.lookup:
          this.exits['lookup'] = (this.exits['lookup'] ?? 0) + 1;
          break;
        case EXIT.fault:
          // Else a guest that faults in its handler's first instruction would never use its budget up.
          this.#left -= RECORD.bytes;
          this.#placeFault();
          if (state.get32(STATE.faultVector) === WATCHED) {
            const again = this.#find();
            if (again >= 0 && !this.#step(again)) exit = 'shutdown';
          } else if (!this.deliverException(mmu.recordedFault(), state.get64(STATE.rip)))
            exit = 'shutdown';
          break;
        case EXIT.stale: {
          this.count('stale');
          const stale = state.get32(STATE.pc);
          state.set64(STATE.rip, this.currentRip());
          const successor = this.#find();
          if (successor >= 0) this.cache.forward(stale, successor);
          break;
        }
        case EXIT.hot:
          this.exits['hot'] = (this.exits['hot'] ?? 0) + 1;
          this.#sampled = true;
          this.#hot = true;
          break;
        case EXIT.guard:
          this.count('guard');
          state.set64(STATE.rip, this.currentRip());
          this.#passGuard(state.get32(STATE.pc));
          break;
        case EXIT.halt:
          this.count('halt');
          events = true;
          break;
        case EXIT.stop:
          events = true;
          break;
        default:
          if (this.#left <= 0) {
            this.count('budget');
            events = true;
            // Without regions there are no slices: the ends of budgets are the samples.
            if (this.#regions === undefined) this.#sampled = true;
            // What an interrupt leads to now says little: the sample is taken soon after.
            else if (this.#untilSample <= 0)
              this.#untilSample = LATE_SAMPLE_INSTRUCTIONS * RECORD.bytes;
          } else if (this.#untilSample <= 0) {
            this.#sampled = true;
            this.#untilSample = this.#nextSlice() * RECORD.bytes;
          }
      }
    }
    this.#instructions += (total - this.#left) / RECORD.bytes - this.#spent;
    return exit;
  }

  /** Sets STATE.rip to the instruction that faulted. */
  #placeFault(): void {
    if (!this.#faultedElsewhere) this.state.set64(STATE.rip, this.currentRip());
    this.#faultedElsewhere = false;
  }

  /** Linear address of STATE.rip. */
  #linearRip(): bigint {
    const { low, high } = this.#linearWords();
    return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  }

  /** Caches where the code of a page is, unless it must be run one instruction at a time. */
  #fillExecute(low: number, high: number, page: CodePage): void {
    const mmu = this.mmu;
    if (mmu.breakpoints.hasCode) {
      const linear = (BigInt(high >>> 0) << 32n) | BigInt((low & ~0xfff) >>> 0);
      if (mmu.breakpoints.coversPage(linear, true)) return;
    }
    mmu.tlb.bank(mmu.privilege).fillExecute(low, high, page.map, page.frame, mmu.isGlobal);
  }

  /** Length of the next slice: not always the same, or a loop would be seen at the same few places. */
  #nextSlice(): number {
    this.#jitter = (Math.imul(this.#jitter, 1_664_525) + 1_013_904_223) | 0;
    return this.#slice + (((this.#jitter >>> 16) % this.#slice) >> 1);
  }

  /** The record at STATE.rip, decoded if need be; -1 when fetching it faults (recorded). */
  #find(): number {
    const mmu = this.mmu;
    if (this.mode.checked === true && this.#reachesBeyondCode(0n)) return this.#beyondCode();
    const { low, high } = this.#linearWords();
    const offset = low & 0xfff;
    if (this.#regions?.isEager !== true) {
      const cached = this.#findCached(low, high);
      if (cached !== 0) {
        this.#setRipBase(low, high);
        return this.#sampled ? this.#sampleCached(cached, low, high) : cached;
      }
    }
    this.#nextLow = ((low & ~0xfff) + 4096) | 0;
    this.#nextHigh = this.#nextLow === 0 ? (high + 1) | 0 : high;
    if (this.mode.bits !== 64) this.#nextHigh = 0;
    this.cache.ensureRoom();
    const place = mmu.translate(low, high, ACCESS_EXECUTE, mmu.privilege);
    if (place === FAULTED) return -1;
    if (place === NOT_RAM) return this.#executeDevice();
    const page = this.cache.page(place - offset, this.mode);
    this.#fillExecute(low, high, page);
    this.#setRipBase(low, high);
    let record = this.cache.record(page, offset, this.#nextPage);
    if (this.#regions?.hasFinds === true)
      this.#regions.adoptFinds(page, this.#source(low, high, page), this.#now);
    const guarded = record < 0 ? -1 : this.cache.guardedFrame(record);
    if (guarded >= 0) {
      const after = this.#nextPage.frameAfter();
      if (after < 0) record = -1;
      else if (after !== guarded) {
        this.cache.dropStale(page, offset);
        record = this.cache.record(page, offset, this.#nextPage);
      }
    }
    // The instruction reaches into the next page, unless the code segment ends before that.
    if (record < 0 && this.mode.checked === true && this.#reachesBeyondCode(BigInt(4096 - offset)))
      return this.#beyondCode();
    const eager = this.#regions?.isEager === true && !this.#isGuarded(record);
    if ((this.#sampled || eager) && record >= 0) this.#sample(record, low, high, page);
    return record;
  }

  /** Whether the byte `ahead` of STATE.rip lies beyond the end of the code segment. */
  #reachesBeyondCode(ahead: bigint): boolean {
    return this.state.get64(STATE.rip) + ahead > BigInt(this.state.segmentLimit(CS));
  }

  /** The linear address of STATE.rip, in two words: this is asked for some hundred thousand times a second. */
  #linearWords(): { readonly low: number; readonly high: number } {
    const state = this.state;
    const low = state.get32(STATE.rip);
    if (this.mode.bits === 64) return { low: low | 0, high: state.get32(STATE.rip + 4) | 0 };
    return { low: (low + state.get32(CS_BASE)) | 0, high: 0 };
  }

  /** Notes the RIP of byte 0 of the page that the linear address of STATE.rip lies in. */
  #setRipBase(low: number, high: number): void {
    const state = this.state;
    if (this.mode.bits === 64) {
      state.set32(STATE.ripBase, low & ~0xfff);
      state.set32(STATE.ripBase + 4, high);
    } else state.set64(STATE.ripBase, state.get64(STATE.rip) - BigInt(low & 0xfff));
  }

  /** As #sample, for a record that the execute TLB led to. Returns the record. */
  #sampleCached(record: number, low: number, high: number): number {
    const entry = this.#executeEntry(low);
    this.#sample(record, low, high, {
      frame: this.#words[entry + TLB.executeFrame / 4] as number,
      mode: this.mode,
      map: this.#words[entry + TLB.executeMap / 4] as number,
    });
    return record;
  }

  /** Notes that execution is at `record` in `page`; translates what is hot. */
  #sample(record: number, low: number, high: number, page: CodePage): void {
    const hot = this.#hot;
    this.#sampled = false;
    this.#hot = false;
    const regions = this.#regions;
    if (!hot)
      this.#accesses.sample(this.decoder, this.linear, page.frame + (low & 0xfff), this.mode);
    if (regions === undefined) {
      if (!hot) this.#trace?.sample(low, high, this.#slice, false);
      return;
    }
    regions.collect(this.#now);
    const translated = regions.sample(
      page,
      low & 0xfff,
      record,
      hot ? 1 : this.#slice / SAMPLE_INSTRUCTIONS,
      hot || regions.isEager,
      () => this.#source(low, high, page),
      this.#now,
    );
    if (!hot) this.#trace?.sample(low, high, this.#slice, translated);
    if (hot) return;
    this.#slice = translated
      ? Math.min(2 * this.#slice, LONG_SLICE_INSTRUCTIONS)
      : SAMPLE_INSTRUCTIONS;
  }

  /** The record at (low, high) if the execute TLB knows its page and nothing is to be done there; else 0. */
  #findCached(low: number, high: number): number {
    const words = this.#words;
    const entry = this.#executeEntry(low);
    if (words[entry] !== (low & ~0xfff) || words[entry + 1] !== high) return 0;
    const map = words[entry + TLB.executeMap / 4] as number;
    const record = words[(map >>> 2) + (low & 0xfff)] as number;
    return record !== 0 && (words[record >>> 2] as number) >= FIRST_HANDLER ? record : 0;
  }

  /** Index into #words of the execute TLB's entry for an address. */
  #executeEntry(low: number): number {
    const index = (low >>> 12) & (TLB.executeEntries - 1);
    return (this.state.get32(STATE.tlb) + TLB.execute + index * TLB.executeEntryBytes) >> 2;
  }

  /** Lets the region at `record` check its neighbour pages again; one that cannot get past its guard is dropped. */
  #passGuard(record: number): void {
    const regions = this.#regions;
    if (this.#isGuarded(record)) regions?.drop(record);
    else regions?.revalidate(record, (page) => this.#cacheNeighbour(page));
    this.#guarded = record;
    this.#guardedLeft = this.#left;
  }

  /** The last region that could not get past its guard is the one at `record`, and nothing has run since. */
  #isGuarded(record: number): boolean {
    return record === this.#guarded && this.#left === this.#guardedLeft;
  }

  /** Puts the page `page` pages from that of STATE.rip into the execute TLB; its frame, or -1. */
  #cacheNeighbour(page: number): number {
    const linear = this.#linearRip() + BigInt(page * 4096);
    const low = Number(BigInt.asIntN(32, linear));
    const high = this.mode.bits === 64 ? Number(BigInt.asIntN(32, linear >> 32n)) : 0;
    const mmu = this.mmu;
    this.cache.ensureRoom();
    const place = mmu.translate(low, high, ACCESS_EXECUTE, mmu.privilege);
    if (place < 0) return -1;
    const frame = place - (low & 0xfff);
    this.#fillExecute(low, high, this.cache.page(frame, this.mode));
    return frame;
  }

  /** Code around the page at (low, high), for the region builder. */
  #source(low: number, high: number, base: CodePage): CodeSource {
    const frames = new Map<number, number>([[0, base.frame]]);
    const frameOf = (page: number): number => {
      const known = frames.get(page);
      if (known !== undefined) return known;
      const pageLow = (low & ~0xfff) + page * 4096;
      // In the same half of 4 GiB, so that `high` is the same as well.
      const there = pageLow >= -(2 ** 31) && pageLow < 2 ** 31 && pageLow < 0 === low < 0;
      const place = there ? this.mmu.probeCode(pageLow | 0, high, this.mmu.privilege) : -1;
      frames.set(page, Math.max(place, -1));
      return Math.max(place, -1);
    };
    const pages = new Map<number, CodePage | undefined>([[0, base]]);
    const pageOf = (page: number): CodePage | undefined => {
      if (pages.has(page)) return pages.get(page);
      const place = frameOf(page);
      const found = place < 0 ? undefined : this.cache.existing(place, this.mode);
      pages.set(page, found);
      return found;
    };
    const { mode } = this;
    const holdsAnywhere = mode.bits === 64 || (mode.bits === 32 && mode.checked !== true);
    const ripBase = Number(BigInt.asIntN(64, this.state.get64(STATE.ripBase)));
    return {
      base: (BigInt(high >>> 0) << 32n) | BigInt((low & ~0xfff) >>> 0),
      mode,
      ripBase: holdsAnywhere ? undefined : ripBase,
      decoder: this.decoder,
      linear: this.linear,
      frame: (page) => pageOf(page)?.frame ?? -1,
      anyFrame: frameOf,
      record: (at) => {
        const page = Math.floor(at / 4096);
        const found = pageOf(page);
        return found === undefined ? 0 : this.cache.known(found, at - page * 4096);
      },
      profile: (at) => {
        const page = Math.floor(at / 4096);
        const frame = frameOf(page);
        return frame < 0 ? 0 : this.#profiles.of(frame, at - page * 4096, page);
      },
      targets: (profile) => this.#profiles.targets(profile),
      handler: () =>
        this.handlers.index(this.decoder.encoding, shapeKeyOf(this.decoder, this.mode)),
    };
  }

  /** A fetch beyond the code segment: #GP(0). */
  #beyondCode(): number {
    this.state.set32(STATE.faultVector, 13);
    this.state.set32(STATE.faultErrorCode, 0);
    return -1;
  }

  /** Code outside RAM: nothing is there to run on this board but open bus, which is no instruction. */
  #executeDevice(): number {
    this.state.set32(STATE.faultVector, 6);
    this.state.set32(STATE.faultErrorCode, 0);
    return -1;
  }

  /** Runs the instruction at `record` alone, with its debug trap. False after a triple fault. */
  #step(record: number): boolean {
    const state = this.state;
    return this.runAlone(() => {
      const scratch = this.cache.single(record);
      state.set32(STATE.attention, ATTENTION);
      const code = this.handlers.enter(
        scratch,
        scratch + this.#left,
        state.base,
        state.get32(STATE.tlb),
      );
      this.#left = state.get32(STATE.budget) | 0;
      this.#pay();
      this.count('single step');
      if (code === EXIT.fault) {
        this.#left -= RECORD.bytes;
        this.#placeFault();
        const delivered = this.deliverException(this.mmu.recordedFault(), state.get64(STATE.rip));
        return delivered ? false : undefined;
      }
      if (code === EXIT.stepped) state.set64(STATE.rip, this.#ripOf(scratch, true));
      return true;
    });
  }

  rest(): void {
    if (this.#regions?.rest(this.#now) === true) return;
    const compiler = this.#batchCompiler;
    if (compiler?.keeps !== true || this.handlers.unkept < UNKEPT_HANDLERS) return;
    this.handlers.unkept = 0;
    compiler.submitHandlers(this.handlers.surroundings, this.handlers.keys);
  }

  stats(): VcpuStats {
    const inRegions = Number(this.state.get64(STATE.regionBytes)) / RECORD.bytes;
    return {
      instructions: this.#instructions,
      exits: { ...this.exits, mmio: this.mmu.mmioAccesses },
      tlb: {
        hits: Math.max(0, this.#accesses.estimate(this.#instructions) - this.mmu.misses),
        misses: this.mmu.misses,
        flushes: this.mmu.tlb.flushes,
      },
      invalidations: this.cache.invalidations,
      tiers: { reference: 0, handlers: this.#instructions - inRegions, regions: inRegions },
      regions: this.#regions?.count ?? 0,
      regionsMade: this.#regions?.regionsMade ?? 0,
      regionsBatched: this.#regions?.batched ?? 0,
      regionsAdopted: this.#regions?.regionsAdopted ?? 0,
      regionsDropped: this.#regions?.regionsDropped ?? 0,
      regionBytes: this.#regions?.wasmBytes ?? 0,
      regionBytesPerGuestByte: ratio(this.#regions?.wasmBytes, this.#regions?.guestBytes),
      ...(this.#trace === undefined ? {} : { trace: this.#trace.report() }),
      compileSeconds: this.#regions?.compileSeconds ?? 0,
      workshopSeconds: this.#regions?.workshopSeconds ?? 0,
      decoded: this.cache.decoded,
      codeCacheBytes: this.cache.bytesUsed,
      codeCacheFlushes: this.cache.flushes,
      handlers: this.handlers.handlers,
      handlerBytes: this.handlers.moduleBytes,
    };
  }
}

function ratio(part = 0, whole = 0): number {
  return whole === 0 ? 0 : part / whole;
}
