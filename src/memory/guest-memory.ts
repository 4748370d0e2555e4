import { assert, VivariumError } from '../util/mod.ts';
import { DeviceMemory } from './device-memory.ts';
import { type FramePool, PAGE_BYTES, PAGE_SHIFT } from './frame-pool.ts';

/** A contiguous range of guest-physical RAM. */
export interface RamRange {
  readonly start: number;
  readonly bytes: number;
}

/** Bytes in a row of linear memory, from byte `linear` of the pool on. */
export interface MemoryStretch {
  readonly linear: number;
  readonly bytes: number;
}

/** Page-map entries below this are not frames. */
const NOT_RAM = 0;
const ABSENT = 1;

/** Told when memory that holds translated code is written by anything but the vCPU's own stores. */
export type CodeWriteListener = (frameOffset: number, pageOffset: number, bytes: number) => void;

/**
 * Guest-physical memory: pages mapped onto frames of a pool. A page is absent (reads as zero, costs
 * nothing) until it is first written. All access from outside the engine goes through here and is
 * bounds-checked.
 */
export class GuestMemory {
  readonly pool: FramePool;
  readonly ranges: readonly RamRange[];
  /** frame number (linear offset / 4096) by guest frame number, or NOT_RAM, or ABSENT */
  readonly pageMap: Uint32Array;
  /** one bit per linear frame: holds translated code */
  readonly #codeFrames: Uint8Array;
  /** one byte per linear frame: the guest may read it only */
  readonly #readOnlyFrames: Uint8Array;
  readonly #deviceMemories: DeviceMemory[] = [];
  /** frame that stands for every absent page on reads */
  readonly zeroFrame: number;
  readonly #home: number;
  readonly #homeBase: Uint32Array;
  /** by frame from home on: it was given to a page once */
  readonly #isTouched: Uint8Array;
  /** frames that were given back, zeroed; they are used again before fresh ones */
  readonly #released: number[] = [];
  /** no frame below, from home on, is fresh */
  #freshFrom = 0;
  #framesTouched = 0;
  #hasUnsettledReleases = false;
  codeWriteListener: CodeWriteListener | undefined;
  /** Told when pages have lost or changed their frames: whoever remembers where frames are must forget it. */
  releaseListener: (() => void) | undefined;

  /** @param reach device memory may lie below this guest-physical address */
  constructor(pool: FramePool, ranges: readonly RamRange[], reach = 0) {
    this.pool = pool;
    this.ranges = ranges;
    let pages = 0;
    let topPage = reach / PAGE_BYTES;
    for (const range of ranges) {
      assert(
        range.start % PAGE_BYTES === 0 && range.bytes % PAGE_BYTES === 0,
        'RAM range alignment',
      );
      pages += range.bytes / PAGE_BYTES;
      topPage = Math.max(topPage, (range.start + range.bytes) / PAGE_BYTES);
    }
    this.zeroFrame = pool.reserve(PAGE_BYTES);
    this.#home = pool.reserveHigh(pages * PAGE_BYTES);
    this.#isTouched = new Uint8Array(pages);
    this.pageMap = new Uint32Array(topPage);
    this.#homeBase = new Uint32Array(topPage);
    this.#codeFrames = new Uint8Array(pool.bytes.length / PAGE_BYTES);
    this.#readOnlyFrames = new Uint8Array(pool.bytes.length / PAGE_BYTES);
    let frame = this.#home / PAGE_BYTES;
    for (const range of ranges) {
      const first = range.start / PAGE_BYTES;
      for (let page = 0; page < range.bytes / PAGE_BYTES; page++) {
        this.pageMap[first + page] = ABSENT;
        this.#homeBase[first + page] = frame++;
      }
    }
  }

  /** Linear memory that `GuestMemory` of `ramBytes` needs from its pool. */
  static poolBytes(ramBytes: number): number {
    return ramBytes + 2 * PAGE_BYTES;
  }

  /** Frames that were ever written: what the memory costs the host. */
  get framesTouched(): number {
    return this.#framesTouched;
  }

  /** Frames that pages have now. */
  get framesInUse(): number {
    return this.#framesTouched - this.#released.length;
  }

  /** True when all of `[gpa, gpa + bytes)` is RAM. */
  contains(gpa: number, bytes: number): boolean {
    for (const range of this.ranges) {
      if (gpa >= range.start && gpa + bytes <= range.start + range.bytes) return true;
    }
    return this.#deviceMemories.some((each) => each.contains(gpa, bytes));
  }

  /**
   * Makes memory for a device, which says where the guest sees it; nowhere at first. Writes to
   * memory that is read-only go to the bus of device registers.
   */
  addDeviceMemory(bytes: number, options: { readonly readOnly?: boolean } = {}): DeviceMemory {
    const offset = this.pool.reserveHigh(bytes);
    const added = new DeviceMemory(this, offset, bytes, options.readOnly === true);
    this.#deviceMemories.push(added);
    return added;
  }

  /** Pages have come or gone: whoever remembers where frames are must forget it. */
  mappingChanged(): void {
    this.releaseListener?.();
  }

  /** Marks the frame at linear `offset`: the guest may read it only. */
  setReadOnly(offset: number): void {
    this.#readOnlyFrames[offset >>> PAGE_SHIFT] = 1;
  }

  /** True when the page is RAM. */
  isRam(gfn: number): boolean {
    return gfn < this.pageMap.length && this.pageMap[gfn] !== NOT_RAM;
  }

  /** Linear offset of the frame behind page `gfn` for reading (the zero frame when absent), or -1. */
  frameForRead(gfn: number): number {
    if (gfn >= this.pageMap.length) return -1;
    const entry = this.pageMap[gfn] as number;
    if (entry > ABSENT) return entry * PAGE_BYTES;
    return entry === ABSENT ? this.zeroFrame : -1;
  }

  /**
   * Linear offset of the frame behind page `gfn` for writing, allocated when absent; -1 when not RAM or
   * not to be written.
   */
  frameForWrite(gfn: number): number {
    if (gfn >= this.pageMap.length) return -1;
    const entry = this.pageMap[gfn] as number;
    if (entry > ABSENT) return this.#readOnlyFrames[entry] === 1 ? -1 : entry * PAGE_BYTES;
    if (entry === NOT_RAM) return -1;
    const frame = this.#takeFrame(gfn);
    this.pageMap[gfn] = frame;
    return frame * PAGE_BYTES;
  }

  /** A frame for page `gfn`: one that was given back, its home, or any that is fresh. */
  #takeFrame(gfn: number): number {
    const used = this.#released.pop();
    if (used !== undefined) return used;
    const first = this.#home / PAGE_BYTES;
    let index = (this.#homeBase[gfn] as number) - first;
    if (this.#isTouched[index] === 1) {
      // Another page lives there. There are as many frames as pages, so one is fresh.
      while (this.#isTouched[this.#freshFrom] === 1) this.#freshFrom++;
      index = this.#freshFrom;
    }
    this.#isTouched[index] = 1;
    this.#framesTouched++;
    return first + index;
  }

  /**
   * Takes the frames of the whole pages in `[gpa, gpa + bytes)`: they read as zero from now on, and cost
   * nothing until they are written again. Returns how many had one. Call `settleReleases` after the last.
   */
  release(gpa: number, bytes: number): number {
    const end = Math.min(Math.floor((gpa + bytes) / PAGE_BYTES), this.pageMap.length);
    let count = 0;
    for (let gfn = Math.ceil(gpa / PAGE_BYTES); gfn < end; gfn++) {
      const frame = this.pageMap[gfn] as number;
      // What belongs to a device is not the guest's to give back.
      if (frame <= ABSENT || this.#homeBase[gfn] === 0) continue;
      const offset = frame * PAGE_BYTES;
      if (this.hasCode(offset)) this.codeWriteListener?.(offset, 0, PAGE_BYTES);
      this.pool.bytes.fill(0, offset, offset + PAGE_BYTES);
      this.pageMap[gfn] = ABSENT;
      this.#released.push(frame);
      count++;
    }
    if (count > 0) this.#hasUnsettledReleases = true;
    return count;
  }

  /** Tells the listener of releases, if there were any. Must come before the guest runs on. */
  settleReleases(): void {
    if (!this.#hasUnsettledReleases) return;
    this.#hasUnsettledReleases = false;
    this.releaseListener?.();
  }

  /** True when page `gfn` is RAM that has a frame of its own. */
  isPresent(gfn: number): boolean {
    return gfn < this.pageMap.length && (this.pageMap[gfn] as number) > ABSENT;
  }

  /** Marks whether the frame at linear `offset` holds translated code. */
  setCode(offset: number, holds: boolean): void {
    this.#codeFrames[offset >>> PAGE_SHIFT] = holds ? 1 : 0;
  }

  /** True when the frame at linear `offset` holds translated code. */
  hasCode(offset: number): boolean {
    return this.#codeFrames[offset >>> PAGE_SHIFT] === 1;
  }

  /** Reads guest-physical bytes into `target`. Throws `guest-address` when some are not RAM. */
  read(gpa: number, target: Uint8Array): void {
    this.#check(gpa, target.length);
    let done = 0;
    while (done < target.length) {
      const at = gpa + done;
      const inPage = at % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - inPage, target.length - done);
      const frame = this.frameForRead(Math.floor(at / PAGE_BYTES));
      target.set(this.pool.bytes.subarray(frame + inPage, frame + inPage + count), done);
      done += count;
    }
  }

  /**
   * Writes guest-physical bytes, but for those that are read-only. Throws `guest-address` when some are
   * not RAM, before writing any.
   */
  write(gpa: number, source: Uint8Array): void {
    this.#check(gpa, source.length);
    let done = 0;
    while (done < source.length) {
      const at = gpa + done;
      const inPage = at % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - inPage, source.length - done);
      const frame = this.frameForWrite(Math.floor(at / PAGE_BYTES));
      if (frame >= 0) {
        this.pool.bytes.set(source.subarray(done, done + count), frame + inPage);
        if (this.hasCode(frame)) this.codeWriteListener?.(frame, inPage, count);
      }
      done += count;
    }
  }

  /**
   * Where `[gpa, gpa + bytes)`, which is RAM, begins in linear memory, and how many of its bytes lie there in a
   * row; `linear` is -1 for a page that is not to be written. Who writes there tells `wrote` of it.
   */
  stretch(gpa: number, bytes: number, access: 'read' | 'write'): MemoryStretch {
    const inPage = gpa % PAGE_BYTES;
    const first = this.#frameFor(Math.floor(gpa / PAGE_BYTES), access);
    let count = Math.min(PAGE_BYTES - inPage, bytes);
    if (first < 0) return { linear: -1, bytes: count };
    while (count < bytes) {
      const next = this.#frameFor(Math.floor((gpa + count) / PAGE_BYTES), access);
      if (next !== first + inPage + count) break;
      count += Math.min(PAGE_BYTES, bytes - count);
    }
    return { linear: first + inPage, bytes: count };
  }

  /** Bytes of a stretch were written: code that was translated from them is forgotten. */
  wrote({ linear, bytes }: MemoryStretch): void {
    for (let done = 0; done < bytes; ) {
      const inPage = (linear + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - inPage, bytes - done);
      const frame = linear + done - inPage;
      if (this.hasCode(frame)) this.codeWriteListener?.(frame, inPage, count);
      done += count;
    }
  }

  #frameFor(gfn: number, access: 'read' | 'write'): number {
    return access === 'read' ? this.frameForRead(gfn) : this.frameForWrite(gfn);
  }

  /** Aligned 32-bit read for page-table walks: unsigned, 0xffffffff where there is no RAM. */
  read32(gpa: number): number {
    const frame = this.frameForRead(Math.floor(gpa / PAGE_BYTES));
    if (frame < 0) return 0xffff_ffff;
    return (this.pool.words[(frame + (gpa % PAGE_BYTES)) >>> 2] as number) >>> 0;
  }

  /** Aligned 32-bit write; ignored where there is no RAM. */
  write32(gpa: number, value: number): void {
    const frame = this.frameForWrite(Math.floor(gpa / PAGE_BYTES));
    if (frame < 0) return;
    const inPage = gpa % PAGE_BYTES;
    this.pool.words[(frame + inPage) >>> 2] = value;
    if (this.hasCode(frame)) this.codeWriteListener?.(frame, inPage, 4);
  }

  /** Stores `replacement` when the aligned four bytes at `gpa` are `expected`; false when they are not. */
  compareExchange32(gpa: number, expected: number, replacement: number): boolean {
    const frame = this.frameForWrite(Math.floor(gpa / PAGE_BYTES));
    if (frame < 0) return true; // writes beyond RAM are lost
    const inPage = gpa % PAGE_BYTES;
    const index = (frame + inPage) >>> 2;
    if (Atomics.compareExchange(this.pool.words, index, expected, replacement) !== (expected | 0))
      return false;
    if (this.hasCode(frame)) this.codeWriteListener?.(frame, inPage, 4);
    return true;
  }

  #check(gpa: number, bytes: number): void {
    if (!this.contains(gpa, bytes)) {
      throw new VivariumError(
        'guest-address',
        `guest-physical range 0x${gpa.toString(16)} + ${bytes} bytes is not RAM`,
      );
    }
  }
}
