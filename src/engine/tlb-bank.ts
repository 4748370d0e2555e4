import { MODE_64, TARGET, TARGETS, TLB } from './tlb-layout.ts';

/** Bits of TLB.used: in which journals a data entry is listed. */
const LISTED = 1;
const LISTED_GLOBAL = 2;
const LARGE_PAGE = 2 ** 21;
/** The halves of the address space: the lower and the upper. */
const HALVES = [0, 1] as const;
const EXECUTE_JOURNAL = 2 * TLB.executeEntries;

/**
 * One direct-mapped TLB in linear memory (layout: tlb-layout.ts): the translations that one privilege sees
 * in one address space. Journals of the filled entries, those of global pages apart, make a flush cost what
 * is dropped, not what could be there: kernels switch address spaces thousands of times a second.
 */
export class TlbBank {
  /** linear offset of the bank */
  readonly base: number;
  readonly #words: Int32Array;
  readonly #journal = new Int32Array(TLB.entries);
  #filled = 0;
  readonly #globalJournal = new Int32Array(TLB.entries);
  #globalFilled = 0;
  readonly #executeJournal = new Int32Array(EXECUTE_JOURNAL);
  #executeFilled = 0;
  readonly #executeGlobalJournal = new Int32Array(EXECUTE_JOURNAL);
  #executeGlobalFilled = 0;
  /**
   * Pages of each half of the address space that gave way to others, where targets that still count may lie, with their
   * frames.
   */
  readonly #evicted: readonly [Map<number, number>, Map<number, number>] = [new Map(), new Map()];
  /** whether any of them was not global */
  readonly #evictedLocal = [false, false];
  /** 1: the execute translation with this number is of a global page */
  readonly #executeGlobal = new Uint8Array(TLB.executeEntries);
  /** decoding mode that the execute translations are for: see `useMode` */
  #mode = -1;
  /** of the targets noted in each half of the address space: older ones do not count */
  readonly #generations = [0, 0];
  /** the latest epoch of any bank: to have been seen in an epoch is to have been seen in its bank */
  static #epoch = 0;

  constructor(words: Int32Array, base: number) {
    this.#words = words;
    this.base = base;
    // Memory is zero at first, and a tag of zero matches page 0 alone.
    this.#clear(base);
    this.#clearExecute(base + TLB.execute);
    this.forgetTargets();
  }

  get mode(): number {
    return this.#mode;
  }

  /** Code is decoded for `mode`, any number, from now on: execute translations for another one go. */
  useMode(mode: number): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.flushExecute(false);
    this.forgetTargets();
  }

  /** What runs at an RIP, or where it lies, may have changed. */
  forgetTargets(): void {
    this.#forgetHalf(0);
    this.#forgetHalf(1);
  }

  /** The same, for RIPs in the lower half of the address space (0) or the upper (1): kernels keep theirs for long. */
  #forgetHalf(half: 0 | 1): void {
    let generation = (this.#generations[half] as number) + 1;
    if (generation === TARGET.generations) {
      generation = 1;
      const first = (this.base + TARGETS.at) >> 2;
      this.#words.fill(0, first, first + TARGETS.bytes / 4);
    }
    this.#generations[half] = generation;
    this.#evicted[half].clear();
    this.#evictedLocal[half] = false;
    // Outside 64-bit mode an RIP says too little: nothing is noted under a number that has no place in an entry.
    this.#words[((this.base + TLB.generation) >> 2) + half] =
      this.#mode === MODE_64 ? generation : TARGET.generations;
    const epoch = ++TlbBank.#epoch;
    const at = ((this.base + TLB.epoch) >> 2) + 2 * half;
    this.#words[at] = epoch | 0;
    this.#words[at + 1] = epoch / 2 ** 32;
  }

  /** Caches a data translation of the page at (low, high). */
  fill(
    low: number,
    high: number,
    frame: number,
    readable: boolean,
    writable: boolean,
    global: boolean,
  ): void {
    const words = this.#words;
    const page = low & ~0xfff;
    const entry = this.base + ((low >>> 12) & (TLB.entries - 1)) * TLB.entryBytes;
    const at = entry >> 2;
    const used = words[at + TLB.used / 4] as number;
    const list = global ? LISTED_GLOBAL : LISTED;
    if ((used & list) === 0) {
      words[at + TLB.used / 4] = used | list;
      if (global) this.#globalJournal[this.#globalFilled++] = entry;
      else this.#journal[this.#filled++] = entry;
    }
    const invalid = invalidTag(page);
    words[at] = readable ? page : invalid;
    words[at + 1] = readable ? high : 0;
    words[at + 2] = writable ? page : invalid;
    words[at + 3] = writable ? high : 0;
    words[at + TLB.addend / 4] = (frame - page) | 0;
    words[at + TLB.global / 4] = global ? 1 : 0;
  }

  /** Linear-memory offset behind (low, high) if a data translation for the access is cached, else -1. */
  lookup(low: number, high: number, write: boolean): number {
    const words = this.#words;
    const entry = this.base + ((low >>> 12) & (TLB.entries - 1)) * TLB.entryBytes;
    const tag = (entry + (write ? TLB.write : TLB.read)) >> 2;
    if (words[tag] !== (low & ~0xfff) || words[tag + 1] !== high) return -1;
    return (low + (words[(entry + TLB.addend) >> 2] as number)) >>> 0;
  }

  /** Caches an execute translation: the page's record map and frame. */
  fillExecute(low: number, high: number, map: number, frame: number, global: boolean): void {
    const words = this.#words;
    const index = (low >>> 12) & (TLB.executeEntries - 1);
    const entry = this.base + TLB.execute + index * TLB.executeEntryBytes;
    const at = entry >> 2;
    const wasGlobal = this.#executeGlobal[index] === 1;
    if (words[at] === (low & ~0xfff) && words[at + 1] === high) {
      if (words[at + 2] === map && words[at + 3] === frame && wasGlobal === global) return;
      this.#forgetHalf(halfOf(high));
    } else {
      const half = halfOf(high);
      const before = this.#evicted[half].get(pageNumber(low, high));
      if (before !== undefined && before !== frame) this.#forgetHalf(half);
      if (words[at + 2] !== 0) this.#evict(at, wasGlobal);
    }
    this.#executeGlobal[index] = global ? 1 : 0;
    // A place is listed again at every fill: a full journal empties its part of the bank.
    if (global) {
      if (this.#executeGlobalFilled === EXECUTE_JOURNAL) this.flushExecute(false);
      this.#executeGlobalJournal[this.#executeGlobalFilled++] = entry;
    } else {
      if (this.#executeFilled === EXECUTE_JOURNAL) this.flushExecute(true);
      this.#executeJournal[this.#executeFilled++] = entry;
    }
    words[at] = low & ~0xfff;
    words[at + 1] = high;
    words[at + 2] = map;
    words[at + 3] = frame;
  }

  /** The execute translation at the word `at` gives way to another's. It holds until it is flushed, and so do targets there. */
  #evict(at: number, global: boolean): void {
    const words = this.#words;
    const high = words[at + 1] as number;
    const half = halfOf(high);
    const frame = words[at + TLB.executeFrame / 4] as number;
    this.#evicted[half].set(pageNumber(words[at] as number, high), frame);
    if (!global) this.#evictedLocal[half] = true;
  }

  /** Drops data and execute translations: all of them, or those that are not global. */
  flush(keepGlobal: boolean): void {
    const words = this.#words;
    for (let i = 0; i < this.#filled; i++) {
      const entry = this.#journal[i] as number;
      const at = entry >> 2;
      if (words[at + TLB.global / 4] === 0) this.#invalidate(entry, pageOf(entry - this.base));
      words[at + TLB.used / 4] = (words[at + TLB.used / 4] as number) & ~LISTED;
    }
    this.#filled = 0;
    if (!keepGlobal) {
      for (let i = 0; i < this.#globalFilled; i++) this.#clear(this.#globalJournal[i] as number);
      this.#globalFilled = 0;
    }
    this.flushExecute(keepGlobal);
  }

  /** Drops the execute translations: all of them, or those that are not global. */
  flushExecute(keepGlobal: boolean): void {
    // A place may have been filled again with a global page: that one is found anew.
    const had = [...this.#evictedLocal];
    this.#clearListed(this.#executeJournal, this.#executeFilled, had);
    this.#executeFilled = 0;
    if (!keepGlobal) {
      for (const half of HALVES) had[half] ||= this.#evicted[half].size > 0;
      this.#clearListed(this.#executeGlobalJournal, this.#executeGlobalFilled, had);
      this.#executeGlobalFilled = 0;
    }
    for (const half of HALVES) if (had[half]) this.#forgetHalf(half);
  }

  /** Drops the execute translations at the first places of a journal; notes in `had` in which halves there were any. */
  #clearListed(journal: Int32Array, filled: number, had: boolean[]): void {
    for (let i = 0; i < filled; i++) {
      const at = journal[i] as number;
      if (this.#words[(at + TLB.executeMap) >> 2] !== 0)
        had[halfOf(this.#words[(at >> 2) + 1] as number)] = true;
      this.#clearExecute(at);
    }
  }

  /** Drops the translations of the 4 KiB page at (low, high). */
  flushPage(low: number, high: number): void {
    const words = this.#words;
    const page = low & ~0xfff;
    this.#invalidate(this.base + ((low >>> 12) & (TLB.entries - 1)) * TLB.entryBytes, page);
    const execute =
      this.base + TLB.execute + ((low >>> 12) & (TLB.executeEntries - 1)) * TLB.executeEntryBytes;
    const half = halfOf(high);
    const isCached = words[execute >> 2] === page && words[(execute >> 2) + 1] === high;
    if (isCached) this.#clearExecute(execute);
    if (isCached || this.#evicted[half].has(pageNumber(page, high))) this.#forgetHalf(half);
  }

  /** Drops the translations of the 2 MiB page at (low, high), cached in pieces of 4 KiB. */
  flushLargePage(low: number, high: number): void {
    if (this.#filled + this.#globalFilled + this.#executeFilled + this.#executeGlobalFilled === 0)
      return;
    this.#forgetHalf(halfOf(high));
    const words = this.#words;
    const first = low & ~(LARGE_PAGE - 1);
    for (let piece = 0; piece < LARGE_PAGE; piece += 4096) {
      const page = first + piece;
      const at = (this.base + ((page >>> 12) & (TLB.entries - 1)) * TLB.entryBytes) >> 2;
      const isRead = words[at] === page && words[at + 1] === high;
      const isWritten = words[at + 2] === page && words[at + 3] === high;
      if (isRead || isWritten) this.#invalidate(at << 2, page);
      const execute =
        this.base +
        TLB.execute +
        ((page >>> 12) & (TLB.executeEntries - 1)) * TLB.executeEntryBytes;
      if (words[execute >> 2] === page && words[(execute >> 2) + 1] === high)
        this.#clearExecute(execute);
    }
  }

  /** Takes write permission from every cached translation of the frame at linear `frame`. */
  protectFrame(frame: number): void {
    for (let i = 0; i < this.#filled; i++) this.#protect(this.#journal[i] as number, frame);
    for (let i = 0; i < this.#globalFilled; i++)
      this.#protect(this.#globalJournal[i] as number, frame);
  }

  #protect(entry: number, frame: number): void {
    const words = this.#words;
    const at = entry >> 2;
    const invalid = invalidTag(pageOf(entry - this.base));
    if (words[at + 2] === invalid && words[at + 3] === 0) return;
    // addend = frame - page for either tag; a valid tag gives the page.
    const target = ((words[at + 2] as number) + (words[at + TLB.addend / 4] as number)) | 0;
    if (target !== (frame | 0)) return;
    words[at + 2] = invalid;
    words[at + 3] = 0;
  }

  #invalidate(entry: number, page: number): void {
    const words = this.#words;
    const at = entry >> 2;
    const invalid = invalidTag(page);
    words[at] = invalid;
    words[at + 1] = 0;
    words[at + 2] = invalid;
    words[at + 3] = 0;
  }

  #clear(entry: number): void {
    this.#invalidate(entry, pageOf(entry - this.base));
    this.#words[(entry + TLB.used) >> 2] = 0;
  }

  #clearExecute(entry: number): void {
    const words = this.#words;
    const at = entry >> 2;
    words[at] = entry - this.base === TLB.execute ? 4096 : 0;
    words[at + 1] = 0;
    words[at + 2] = 0;
    words[at + 3] = 0;
  }
}

/** The page at (low, high) as one number. */
function pageNumber(low: number, high: number): number {
  return (high >>> 0) * 2 ** 20 + (low >>> 12);
}

/** The half of the address space that an address with this upper word is in. */
function halfOf(high: number): 0 | 1 {
  return high < 0 ? 1 : 0;
}

/** A page of the entry at `offset` from the bank's base. */
function pageOf(offset: number): number {
  return (offset / TLB.entryBytes) << 12;
}

/** A tag that no address of this page's index can match: another index's page. */
function invalidTag(page: number): number {
  return ((page >>> 12) & (TLB.entries - 1)) === 0 ? 4096 : 0;
}
