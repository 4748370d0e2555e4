import type { FramePool } from '../memory/mod.ts';
import { PRIVILEGE, TLB } from './tlb-layout.ts';

/**
 * TypeScript's side of the software TLB (layout: tlb-layout.ts): filling and flushing. A journal of the
 * filled entries makes a flush cost what was filled, not what could be: kernels switch address spaces
 * thousands of times a second.
 */
export class Tlb {
  /** linear offset of the first privilege's TLB */
  readonly base: number;
  readonly #words: Int32Array;
  /** entry offsets that are in use, for all privileges */
  readonly #journal = new Int32Array(TLB.entries * PRIVILEGE.count);
  #filled = 0;
  readonly #executeJournal = new Int32Array(TLB.executeEntries * PRIVILEGE.count * 4);
  #executeFilled = 0;
  /** large pages whose 4 KiB pieces may be cached, by number of the 2 MiB page */
  readonly #large = new Set<number>();
  flushes = 0;

  static readonly bytes = TLB.bytes * PRIVILEGE.count;

  constructor(pool: FramePool) {
    this.base = pool.reserve(Tlb.bytes);
    this.#words = pool.words;
    for (let privilege = 0; privilege < PRIVILEGE.count; privilege++) {
      const base = this.of(privilege);
      for (let index = 0; index < TLB.entries; index++) this.#clear(base + index * TLB.entryBytes);
      for (let index = 0; index < TLB.executeEntries; index++) {
        this.#clearExecute(base + TLB.execute + index * TLB.executeEntryBytes);
      }
    }
  }

  /** Linear offset of the TLB of `privilege`. */
  of(privilege: number): number {
    return this.base + privilege * TLB.bytes;
  }

  /** Caches a data translation of the page at (low, high). */
  fill(
    privilege: number,
    low: number,
    high: number,
    frame: number,
    readable: boolean,
    writable: boolean,
    global: boolean,
    large: boolean,
  ): void {
    const words = this.#words;
    const page = low & ~0xfff;
    const entry = this.of(privilege) + ((low >>> 12) & (TLB.entries - 1)) * TLB.entryBytes;
    const at = entry >> 2;
    if (words[at + TLB.used / 4] === 0) {
      words[at + TLB.used / 4] = 1;
      this.#journal[this.#filled++] = entry;
    }
    const invalid = invalidTag(page, TLB.entries);
    words[at] = readable ? page : invalid;
    words[at + 1] = readable ? high : 0;
    words[at + 2] = writable ? page : invalid;
    words[at + 3] = writable ? high : 0;
    words[at + TLB.addend / 4] = (frame - page) | 0;
    words[at + TLB.global / 4] = global ? 1 : 0;
    if (large) this.#large.add(largePage(low, high));
  }

  /** Linear-memory offset behind (low, high) if a data translation for the access is cached, else -1. */
  lookup(privilege: number, low: number, high: number, write: boolean): number {
    const words = this.#words;
    const entry = this.of(privilege) + ((low >>> 12) & (TLB.entries - 1)) * TLB.entryBytes;
    const tag = (entry + (write ? TLB.write : TLB.read)) >> 2;
    if (words[tag] !== (low & ~0xfff) || words[tag + 1] !== high) return -1;
    return (low + (words[(entry + TLB.addend) >> 2] as number)) >>> 0;
  }

  /** Caches an execute translation: the page's record map and frame. */
  fillExecute(privilege: number, low: number, high: number, map: number, frame: number): void {
    const words = this.#words;
    const entry =
      this.of(privilege) +
      TLB.execute +
      ((low >>> 12) & (TLB.executeEntries - 1)) * TLB.executeEntryBytes;
    const at = entry >> 2;
    words[at] = low & ~0xfff;
    words[at + 1] = high;
    words[at + 2] = map;
    words[at + 3] = frame;
    if (this.#executeFilled === this.#executeJournal.length) this.flushExecute();
    else this.#executeJournal[this.#executeFilled++] = entry;
    if (words[at + 2] !== map || words[at] !== (low & ~0xfff)) {
      // The flush above dropped what was just written.
      words[at] = low & ~0xfff;
      words[at + 1] = high;
      words[at + 2] = map;
      words[at + 3] = frame;
      this.#executeJournal[this.#executeFilled++] = entry;
    }
  }

  /** Drops data and execute translations: all of them, or those that are not global. */
  flush(keepGlobal: boolean): void {
    this.flushes++;
    const words = this.#words;
    let kept = 0;
    for (let i = 0; i < this.#filled; i++) {
      const entry = this.#journal[i] as number;
      if (keepGlobal && words[(entry + TLB.global) >> 2] === 1) this.#journal[kept++] = entry;
      else this.#clear(entry);
    }
    this.#filled = kept;
    if (kept === 0) this.#large.clear();
    this.flushExecute();
  }

  /** Drops the execute translations. */
  flushExecute(): void {
    for (let i = 0; i < this.#executeFilled; i++)
      this.#clearExecute(this.#executeJournal[i] as number);
    this.#executeFilled = 0;
  }

  /** Drops the translations of one page (INVLPG): all of it, also when a large page maps it. */
  flushPage(low: number, high: number): void {
    if (this.#large.has(largePage(low, high))) {
      this.flush(false);
      return;
    }
    this.flushes++;
    const words = this.#words;
    const page = low & ~0xfff;
    for (let privilege = 0; privilege < PRIVILEGE.count; privilege++) {
      const base = this.of(privilege);
      const entry = base + ((low >>> 12) & (TLB.entries - 1)) * TLB.entryBytes;
      this.#invalidate(entry, page);
      const execute =
        base + TLB.execute + ((low >>> 12) & (TLB.executeEntries - 1)) * TLB.executeEntryBytes;
      if (words[execute >> 2] === page && words[(execute >> 2) + 1] === high)
        this.#clearExecute(execute);
    }
  }

  /** Takes write permission from every cached translation of the frame at linear `frame`. */
  protectFrame(frame: number): void {
    const words = this.#words;
    for (let i = 0; i < this.#filled; i++) {
      const entry = this.#journal[i] as number;
      const at = entry >> 2;
      // addend = frame - page for either tag; a valid tag gives the page.
      const index = ((entry - this.base) % TLB.bytes) / TLB.entryBytes;
      const invalid = index === 0 ? 4096 : 0;
      if (words[at + 2] === invalid && words[at + 3] === 0) continue;
      if (
        (((words[at + 2] as number) + (words[at + TLB.addend / 4] as number)) | 0) !==
        (frame | 0)
      )
        continue;
      words[at + 2] = invalid;
      words[at + 3] = 0;
    }
  }

  #invalidate(entry: number, page: number): void {
    const words = this.#words;
    const at = entry >> 2;
    const invalid = invalidTag(page, TLB.entries);
    words[at] = invalid;
    words[at + 1] = 0;
    words[at + 2] = invalid;
    words[at + 3] = 0;
  }

  #clear(entry: number): void {
    const at = entry >> 2;
    const index = ((entry - this.base) % TLB.bytes) / TLB.entryBytes;
    this.#invalidate(entry, index << 12);
    this.#words[at + TLB.used / 4] = 0;
  }

  #clearExecute(entry: number): void {
    const words = this.#words;
    const at = entry >> 2;
    const index = (((entry - this.base) % TLB.bytes) - TLB.execute) / TLB.executeEntryBytes;
    words[at] = index === 0 ? 4096 : 0;
    words[at + 1] = 0;
    words[at + 2] = 0;
    words[at + 3] = 0;
  }
}

/** A tag that no address of this page's index can match: another index's page. */
function invalidTag(page: number, entries: number): number {
  return ((page >>> 12) & (entries - 1)) === 0 ? 4096 : 0;
}

function largePage(low: number, high: number): number {
  return (high >>> 0) * 2048 + (low >>> 21);
}
