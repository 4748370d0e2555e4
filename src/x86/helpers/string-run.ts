import type { Cpu } from '../cpu.ts';
import { EFLAGS } from '../cpu-state.ts';
import { checkSegmentAccess } from '../segment-limits.ts';
import { ES, gprOffset, RCX, RDI, RSI, SEGMENT, STATE, segmentBaseOffset } from '../state.ts';

const PAGE_BYTES = 4096;
/** A repeated instruction returns after this many bytes, so that interrupts get in. */
const BYTES_PER_CALL = 1 << 16;

/** How long a call of the helper takes, in usual instructions: for each round of work, and for its elements. */
const ROUND_INSTRUCTIONS = 8;
const ELEMENTS_AS_ONE = 8;

/** Marks in the first helper argument, above the element's bytes (bits 0 to 3). See instructions/string.ts. */
const ADDRESS_SIZE_SHIFT = 8;
const LONG_MODE = 1 << 16;
const REPNE = 1 << 17;
const CHECKED = 1 << 18;

/**
 * A repeated string instruction under way: element size, direction, count and the two offsets, read from
 * the vCPU once and written back by `drive`, also when an element faults.
 */
export class StringRun {
  readonly cpu: Cpu;
  /** bytes of an element: 1, 2, 4 or 8 */
  readonly bytes: number;
  readonly repne: boolean;
  /** EFLAGS.DF: addresses go down */
  readonly down: boolean;
  readonly #addressSize: number;
  /** accesses are checked against their segments */
  readonly #checked: boolean;
  /** the destination is written */
  readonly #stores: boolean;
  readonly #segmentOffset: number;
  readonly #long: boolean;
  readonly #step: bigint;
  readonly #sourceBase: bigint;
  readonly #destinationBase: bigint;
  #source: bigint;
  #destination: bigint;
  #count: bigint;

  /** @param bits what the instruction packed; @param segmentOffset state offset of the source segment's base */
  constructor(cpu: Cpu, bits: number, segmentOffset: number, stores = false) {
    const { state } = cpu;
    this.cpu = cpu;
    this.bytes = bits & 15;
    this.#addressSize = (bits >> ADDRESS_SIZE_SHIFT) & 0xff;
    this.#long = (bits & LONG_MODE) !== 0;
    this.repne = (bits & REPNE) !== 0;
    this.#checked = (bits & CHECKED) !== 0;
    this.#stores = stores;
    this.#segmentOffset = segmentOffset;
    this.down = (state.systemFlags & EFLAGS.DF) !== 0;
    this.#step = BigInt(this.down ? -this.bytes : this.bytes);
    this.#sourceBase = state.get64(segmentOffset);
    this.#destinationBase = this.#long ? 0n : state.get64(segmentBaseOffset(ES));
    this.#source = BigInt.asUintN(this.#addressSize, state.gpr(RSI));
    this.#destination = BigInt.asUintN(this.#addressSize, state.gpr(RDI));
    this.#count = BigInt.asUintN(this.#addressSize, state.gpr(RCX));
  }

  /** Linear address of the current source element. */
  get source(): bigint {
    if (this.#checked) this.#check(this.#segmentOffset, this.#source, false);
    return this.#linear(this.#sourceBase + this.#source);
  }
  /** Linear address of the current destination element. */
  get destination(): bigint {
    if (this.#checked) this.#check(segmentBaseOffset(ES), this.#destination, this.#stores);
    return this.#linear(this.#destinationBase + this.#destination);
  }

  /**
   * Whole elements from the current source (or destination) on, in the direction of the run, that lie in
   * its page and do not wrap around; 0 when the element itself crosses the page's end.
   */
  get sourceRoom(): number {
    const room = this.#room(this.source, this.#source);
    return this.#checked ? this.#inside(this.#segmentOffset, this.#source, room, false) : room;
  }
  get destinationRoom(): number {
    const room = this.#room(this.destination, this.#destination);
    if (!this.#checked) return room;
    return this.#inside(segmentBaseOffset(ES), this.#destination, room, this.#stores);
  }

  /**
   * Calls `work` until the count is used up, `work` ends the run, or a bounded amount of work is done;
   * in the last case the instruction will be executed again.
   *
   * @param moves which pointers advance
   * @param work does at most `limit` elements and returns how many; a negative number -n ends the run
   *   after n elements. Throws GuestFault with the current element not done.
   */
  drive(
    moves: { readonly source: boolean; readonly destination: boolean },
    work: (limit: number) => number,
  ): void {
    if (this.#count === 0n) return;
    const { cpu } = this;
    let budget = BYTES_PER_CALL / this.bytes;
    const stepped =
      (cpu.state.systemFlags & EFLAGS.TF) !== 0 || (cpu.state.get32(STATE.dr + 7 * 8) & 0xff) !== 0;
    if (stepped) budget = 1;
    const counted = this.#count;
    let ended = false;
    let rounds = 0;
    try {
      while (!ended && budget > 0 && this.#count !== 0n) {
        const limit = this.#count < BigInt(budget) ? Number(this.#count) : budget;
        rounds++;
        const result = work(limit);
        const done = Math.abs(result);
        ended = result < 0;
        budget -= done;
        const distance = this.#step * BigInt(done);
        this.#count -= BigInt(done);
        if (moves.source) this.#source = this.#wrap(this.#source + distance);
        if (moves.destination) this.#destination = this.#wrap(this.#destination + distance);
      }
    } finally {
      // Without progress not even the upper halves change (32-bit addresses in 64-bit mode).
      if (this.#count !== counted) {
        this.#write(RCX, this.#count);
        if (moves.source) this.#write(RSI, this.#source);
        if (moves.destination) this.#write(RDI, this.#destination);
      }
    }
    if (ended || this.#count === 0n) return;
    cpu.spent?.(rounds * ROUND_INSTRUCTIONS + Number(counted - this.#count) / ELEMENTS_AS_ONE);
    cpu.redirect(cpu.currentRip());
  }

  /** Offset in linear memory of the lowest of `count` elements, given that of the current one. */
  lowest(offset: number, count: number): number {
    return this.down ? offset - (count - 1) * this.bytes : offset;
  }

  /** Throws when the element at `offset` lies outside of the segment whose base is at `segmentOffset`. */
  #check(segmentOffset: number, offset: bigint, writes: boolean): void {
    const index = (segmentOffset - segmentBaseOffset(0)) / SEGMENT.bytes;
    checkSegmentAccess(this.cpu, index, Number(offset), this.bytes, writes);
  }

  /** How many of `room` elements lie in the segment; the first does. */
  #inside(segmentOffset: number, offset: bigint, room: number, writes: boolean): number {
    if (this.down) return Math.min(room, 1);
    const field = writes ? SEGMENT.writeTop : SEGMENT.readTop;
    const top = this.cpu.state.get32(segmentOffset - SEGMENT.base + field);
    return Math.min(room, Math.max(1, Math.floor((top - Number(offset)) / this.bytes)));
  }

  #linear(address: bigint): bigint {
    return BigInt.asUintN(this.#long ? 64 : 32, address);
  }

  #wrap(offset: bigint): bigint {
    return BigInt.asUintN(this.#addressSize, offset);
  }

  #room(linear: bigint, offset: bigint): number {
    const inPage = Number(linear & 0xfffn);
    if (inPage + this.bytes > PAGE_BYTES) return 0;
    const room = this.down
      ? Math.floor(inPage / this.bytes) + 1
      : Math.floor((PAGE_BYTES - inPage) / this.bytes);
    if (this.#addressSize === 64) return room;
    const low = Number(offset);
    const beforeWrap = this.down
      ? Math.floor(low / this.bytes) + 1
      : Math.floor((2 ** this.#addressSize - low) / this.bytes);
    return Math.min(room, beforeWrap);
  }

  #write(index: number, value: bigint): void {
    const { state } = this.cpu;
    if (this.#addressSize === 16) state.set16(gprOffset(index), Number(value));
    else state.setGpr(index, value);
  }
}
