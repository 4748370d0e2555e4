import { type FramePool, type GuestMemory, PAGE_BYTES } from '../memory/mod.ts';
import { type CodeMode, DECODED, type Decoder, TRUNCATED, UNDEFINED } from '../x86/mod.ts';
import type { HandlerSet } from './handlers/handler-set.ts';
import { PSEUDO } from './handlers/runtime.ts';
import { RECORD } from './record.ts';
import { shapeKeyOf } from './shape-key.ts';

/** Linear memory for records and maps. */
export const CODE_CACHE_BYTES = 192 * 2 ** 20;
const MAP_BYTES = PAGE_BYTES * 4;
/** A block is decoded at most this far ahead of where execution needs it. */
const BLOCK_INSTRUCTIONS = 48;
/** Longest instruction that can begin in a page and end in the next. */
const TAIL_BYTES = 15;

/** The code of one frame under one mode: where its records are. */
export interface CodePage {
  /** linear offset of the frame */
  readonly frame: number;
  readonly mode: CodeMode;
  /** linear offset of the map: u32 record for each byte of the page */
  readonly map: number;
}

/** What decoding needs to know of the page behind the one being decoded. */
export interface NextPage {
  /** Linear offset of the frame behind linear page + 4096, or -1 when fetching there faults. */
  frameAfter(): number;
}

/** Table indexes of the records that raise an exception when they are reached. */
export interface RaiseHandlers {
  readonly undefined: number;
  readonly tooLong: number;
}

/**
 * Decoded code, by frame and mode. Records of one block lie one after the other, because handlers go on
 * with the record behind their own. A changed instruction is not removed but marked stale: whoever
 * reaches it leaves and decodes anew, so links to it need no bookkeeping.
 */
export class CodeCache {
  readonly #memory: GuestMemory;
  readonly #decoder: Decoder;
  readonly #handlers: HandlerSet;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #halves: Uint16Array;
  readonly #base: number;
  #next: number;
  readonly #end: number;
  /** by frame number × 16 + mode key */
  readonly #pages = new Map<number, CodePage>();
  /** instructions that begin in another frame and end in this one: guard records, by frame */
  readonly #crossings = new Map<number, number[]>();
  /** frames with code that was not decoded */
  readonly #claimed = new Set<number>();
  readonly #window = new Uint8Array(2 * TAIL_BYTES);
  /** scratch chain for single steps: one record and a stop */
  readonly #scratch: number;
  /** told when a frame begins to hold code: cached write permissions must go */
  onCodeFrame: (frame: number) => void = () => {};
  /** handler of the instruction behind a table index that may be a region's */
  ownHandler: (index: number) => number = (index) => index;
  /** told when a record that was in use runs something else */
  onHandlerChange: () => void = () => {};
  /** told which bytes of a frame changed */
  onInvalidate: (frame: number, offset: number, bytes: number) => void = () => {};
  /**
   * Told of every instruction that was decoded and has no guard, by its place in its page. True: something else will run
   * from there on, so that nothing behind it is decoded now.
   */
  onDecoded: ((page: CodePage, offset: number, record: number) => boolean) | undefined;
  /** told when everything was dropped */
  onFlush: () => void = () => {};
  decoded = 0;
  invalidations = 0;
  flushes = 0;

  constructor(pool: FramePool, memory: GuestMemory, decoder: Decoder, handlers: HandlerSet) {
    this.#memory = memory;
    this.#decoder = decoder;
    this.#handlers = handlers;
    this.#words = pool.words;
    this.#bytes = pool.bytes;
    this.#halves = new Uint16Array(pool.memory.buffer);
    this.#base = pool.reserve(CODE_CACHE_BYTES);
    this.#scratch = this.#base;
    this.#next = this.#base + PAGE_BYTES;
    this.#end = this.#base + CODE_CACHE_BYTES;
  }

  /** Bytes of records and maps in use. */
  get bytesUsed(): number {
    return this.#next - this.#base;
  }

  /** The code page of the frame at linear offset `frame`. */
  page(frame: number, mode: CodeMode): CodePage {
    const key = (frame / PAGE_BYTES) * 16 + modeKey(mode);
    let page = this.#pages.get(key);
    if (page === undefined) {
      const map = this.#next;
      this.#next += MAP_BYTES;
      page = { frame, mode, map };
      this.#pages.set(key, page);
    }
    return page;
  }

  /** The record at `offset` of the page, decoded if need be; -1 when the fetch of a second page faults. */
  record(page: CodePage, offset: number, next: NextPage): number {
    const found = this.#words[(page.map >> 2) + offset] as number;
    // A guard whose second page changed is stale, but still in the map.
    if (found !== 0 && this.#words[found >> 2] !== PSEUDO.stale) return found;
    this.#words[(page.map >> 2) + offset] = 0;
    return this.#decodeBlock(page, offset, next);
  }

  /** Record of the instruction at `offset` of the page, behind its guard if it has one; 0 when there is none. */
  known(page: CodePage, offset: number): number {
    const record = this.#words[(page.map >> 2) + offset] as number;
    if (record === 0) return 0;
    const handler = this.#words[record >> 2] as number;
    return handler === PSEUDO.stale || handler === PSEUDO.undefined || handler === PSEUDO.tooLong
      ? 0
      : record;
  }

  /** The code page of the frame, if anything of it was decoded. */
  existing(frame: number, mode: CodeMode): CodePage | undefined {
    return this.#pages.get((frame / PAGE_BYTES) * 16 + modeKey(mode));
  }

  /** When the record at `record` guards a page crossing: the frame it expects behind its page; else -1. */
  guardedFrame(record: number): number {
    return this.#words[record >> 2] === PSEUDO.crossing
      ? (this.#words[(record + RECORD.link) >> 2] as number) >>> 0
      : -1;
  }

  /** A chain of the instruction at `record` alone: runs one instruction, then leaves. */
  single(record: number): number {
    const scratch = this.#scratch;
    const guarded = this.#words[record >> 2] === PSEUDO.crossing;
    const source = guarded ? record + RECORD.bytes : record;
    this.#words.copyWithin(scratch >> 2, source >> 2, (source + RECORD.bytes) >> 2);
    this.#words[scratch >> 2] = this.ownHandler(this.#words[scratch >> 2] as number);
    this.#pseudo(scratch + RECORD.bytes, PSEUDO.stop, 0, 0);
    return scratch;
  }

  #decodeBlock(page: CodePage, offset: number, next: NextPage): number {
    const words = this.#words;
    const decoder = this.#decoder;
    const { frame, mode } = page;
    this.#claim(frame);
    const map = page.map >> 2;
    // Room for the longest block is taken at once: frameAfter may make a page map while it is written.
    const first = this.#next;
    const limit = first + (BLOCK_INSTRUCTIONS + 4) * RECORD.bytes;
    this.#next = limit;
    let record = first;
    let at = offset;
    for (let count = 0; ; count++) {
      if (at < PAGE_BYTES && words[map + at] !== 0) {
        if (at === offset) {
          this.#next = first;
          return words[map + at] as number;
        }
        this.#pseudo(record, PSEUDO.jump, at, words[map + at] as number);
        record += RECORD.bytes;
        break;
      }
      if (at >= PAGE_BYTES || count === BLOCK_INSTRUCTIONS) {
        this.#pseudo(record, PSEUDO.next, at, 0);
        record += RECORD.bytes;
        break;
      }
      let status = decoder.decode(this.#bytes, frame + at, frame + PAGE_BYTES, mode);
      let guard = 0;
      if (status === TRUNCATED) {
        // Looking at the next page marks it as accessed, so that waits until the instruction is reached.
        if (count > 0) {
          this.#pseudo(record, PSEUDO.next, at, 0);
          record += RECORD.bytes;
          break;
        }
        const after = next.frameAfter();
        if (after < 0) {
          if (this.#next === limit) this.#next = first;
          return -1;
        }
        const window = this.#window;
        const head = PAGE_BYTES - at;
        window.set(this.#bytes.subarray(frame + at, frame + PAGE_BYTES));
        window.set(this.#bytes.subarray(after, after + TAIL_BYTES), head);
        status = decoder.decode(window, 0, head + TAIL_BYTES, mode);
        guard = record;
        this.#pseudo(guard, PSEUDO.crossing, at, after);
        words[(guard + RECORD.displacement) >> 2] = mode.bits === 64 ? -1 : 0;
        this.#crossing(after, guard);
        record += RECORD.bytes;
      }
      words[map + at] = guard !== 0 ? guard : record;
      if (status !== DECODED) {
        this.#pseudo(record, status === UNDEFINED ? PSEUDO.undefined : PSEUDO.tooLong, at, 0);
        // Any byte of the longest instruction may make it another.
        this.#bytes[record + RECORD.length] = TAIL_BYTES;
        record += RECORD.bytes;
        break;
      }
      decoder.rebase(at);
      this.#write(record, at, mode);
      this.decoded++;
      const isTaken = guard === 0 && this.onDecoded?.(page, at, record) === true;
      record += RECORD.bytes;
      at += decoder.length;
      if (decoder.encoding.attributes.has('ends')) break;
      if (guard !== 0 || isTaken) {
        this.#pseudo(record, PSEUDO.next, at, 0);
        record += RECORD.bytes;
        break;
      }
    }
    if (this.#next === limit) this.#next = record;
    return words[map + offset] as number;
  }

  #write(record: number, start: number, mode: CodeMode): void {
    const decoder = this.#decoder;
    const words = this.#words;
    const halves = this.#halves;
    const at = record >> 2;
    const half = record >> 1;
    words[at] = this.#handlers.index(decoder.encoding, shapeKeyOf(decoder, mode));
    halves[half + RECORD.a / 2] = decoder.a;
    halves[half + RECORD.b / 2] = decoder.b;
    halves[half + RECORD.base / 2] = decoder.base;
    halves[half + RECORD.index / 2] = decoder.index;
    this.#bytes[record + RECORD.scale] = decoder.scale;
    this.#bytes[record + RECORD.length] = decoder.length;
    halves[half + RECORD.start / 2] = start;
    halves[half + RECORD.segment / 2] = decoder.segment;
    halves[half + RECORD.c / 2] = decoder.c;
    const immediate = decoder.encoding.immediate;
    if (immediate === 'relb' || immediate === 'relz') {
      words[at + RECORD.displacement / 4] = decoder.relative;
      words[at + RECORD.link / 4] = 0;
      // Mask of the target outside 64-bit mode: see HandlerEmitter.branchRelative.
      words[at + RECORD.immediate / 4 + 1] = decoder.operandSize === 16 ? 0xffff : -1;
    } else {
      words[at + RECORD.displacement / 4] = decoder.displacement;
      words[at + RECORD.immediate / 4] = decoder.immediateLow;
      words[at + RECORD.immediate / 4 + 1] = decoder.immediateHigh;
    }
  }

  #pseudo(record: number, handler: number, start: number, link: number): void {
    const words = this.#words;
    const at = record >> 2;
    words.fill(0, at, at + RECORD.bytes / 4);
    words[at] = handler;
    this.#halves[(record + RECORD.start) >> 1] = start;
    words[(record + RECORD.link) >> 2] = link;
  }

  #crossing(frame: number, guard: number): void {
    const list = this.#crossings.get(frame);
    if (list === undefined) {
      this.#crossings.set(frame, [guard]);
      this.#claim(frame);
    } else list.push(guard);
  }

  #claim(frame: number): void {
    if (this.#memory.hasCode(frame)) return;
    this.#memory.setCode(frame, true);
    this.onCodeFrame(frame);
  }

  /** The frame holds code that is used without having been decoded. */
  claim(frame: number): void {
    this.#claim(frame);
    this.#claimed.add(frame);
  }

  /** Bytes `[offset, offset + bytes)` of `frame` changed: instructions that overlap become stale. */
  invalidate(frame: number, offset: number, bytes: number): void {
    const words = this.#words;
    const before = this.invalidations;
    this.onInvalidate(frame, offset, bytes);
    const end = Math.min(PAGE_BYTES, offset + bytes);
    for (let mode = 0; mode < 16; mode++) {
      const page = this.#pages.get((frame / PAGE_BYTES) * 16 + mode);
      if (page === undefined) continue;
      const map = page.map >> 2;
      for (let at = Math.max(0, offset - TAIL_BYTES + 1); at < end; at++) {
        const record = words[map + at] as number;
        if (record === 0) continue;
        const guarded = words[record >> 2] === PSEUDO.crossing;
        const length = this.#bytes[record + (guarded ? RECORD.bytes : 0) + RECORD.length] as number;
        if (at + length <= offset) continue;
        words[map + at] = 0;
        this.#stale(record);
        if (guarded) this.#stale(record + RECORD.bytes);
      }
    }
    if (offset < TAIL_BYTES) {
      const guards = this.#crossings.get(frame);
      if (guards !== undefined) {
        for (const guard of guards) this.#breakGuard(guard);
        this.#crossings.delete(frame);
      }
    }
    if (this.invalidations !== before) this.onHandlerChange();
    if (bytes >= PAGE_BYTES) this.#forget(frame);
  }

  /** A whole frame changed: it holds no code until something of it is decoded again. */
  #forget(frame: number): void {
    if (!this.#crossings.has(frame)) this.#memory.setCode(frame, false);
  }

  #stale(record: number): void {
    this.#words[record >> 2] = PSEUDO.stale;
    this.invalidations++;
  }

  /** The guarded instruction's tail changed: its map entry finds a stale guard and decodes again. */
  #breakGuard(guard: number): void {
    if (this.#words[guard >> 2] !== PSEUDO.crossing) return;
    this.#stale(guard);
    this.#stale(guard + RECORD.bytes);
  }

  /** Turns the stale record at `stale` into a jump to its successor: chains that led to it go on without leaving. */
  forward(stale: number, record: number): void {
    if (this.#words[stale >> 2] !== PSEUDO.stale || stale === record) return;
    this.#words[stale >> 2] = PSEUDO.jump;
    this.onHandlerChange();
    this.#words[(stale + RECORD.link) >> 2] = record;
  }

  /** Forgets the record at `offset` of the page if it is stale, so that `record` decodes anew. */
  dropStale(page: CodePage, offset: number): void {
    const index = (page.map >> 2) + offset;
    const record = this.#words[index] as number;
    if (record !== 0) {
      const handler = this.#words[record >> 2];
      if (handler === PSEUDO.crossing) {
        this.#stale(record);
        this.#stale(record + RECORD.bytes);
        this.onHandlerChange();
      }
      this.#words[index] = 0;
    }
  }

  /** Makes room for one block and the maps of two pages, by dropping everything if need be. Call before `page`. */
  ensureRoom(): void {
    const need = 2 * MAP_BYTES + (BLOCK_INSTRUCTIONS + 4) * RECORD.bytes;
    if (this.#next + need > this.#end) this.flush();
  }

  /** Drops everything. Only while no compiled code is running. */
  flush(): void {
    this.flushes++;
    this.#bytes.fill(0, this.#base, this.#next);
    this.#next = this.#base + PAGE_BYTES;
    for (const page of this.#pages.values()) this.#memory.setCode(page.frame, false);
    for (const frames of [this.#crossings.keys(), this.#claimed])
      for (const frame of frames) this.#memory.setCode(frame, false);
    this.#claimed.clear();
    this.#pages.clear();
    this.#crossings.clear();
    this.onFlush();
  }
}

/** 0 to 15. Real mode is always checked, which leaves a number for 64-bit mode. */
function modeKey(mode: CodeMode): number {
  if (mode.bits === 64) return 4;
  return (
    (mode.bits === 32 ? 1 : 0) |
    (mode.stackSize === 32 ? 2 : 0) |
    (mode.real ? 4 : 0) |
    (mode.real || mode.checked === true ? 8 : 0)
  );
}
