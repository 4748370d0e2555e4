import type { Access } from '../../ir/mod.ts';
import { type FunctionWriter, V128 } from '../../wasm/mod.ts';
import { STATE } from '../../x86/mod.ts';

/** Vector registers are kept by halves of sixteen bytes: XMM0, the upper half of YMM0, XMM1, ... */
const HALVES = 32;
const HALF_BYTES = 16;

const LOAD_V128 = [0xfd, 0x00];
const STORE_V128 = [0xfd, 0x0b];
const I64_EXTEND_S = 0xac;
const I64_EXTEND_U = 0xad;

/** How an access reads and writes one lane: lane bytes, extract and replace opcode, conversion to i64. */
interface Lane {
  readonly bytes: number;
  readonly extract: number;
  readonly replace: number;
  /** opcode from the lane's own type to the access's, and back */
  readonly widen?: number;
  readonly narrow?: number;
}

const WRAP = 0xa7;
const LANES: Partial<Record<Access, Lane>> = {
  i64: { bytes: 8, extract: 0x1d, replace: 0x1e },
  f64: { bytes: 8, extract: 0x21, replace: 0x22 },
  i32: { bytes: 4, extract: 0x1b, replace: 0x1c },
  f32: { bytes: 4, extract: 0x1f, replace: 0x20 },
  'i64.32s': { bytes: 4, extract: 0x1b, replace: 0x1c, widen: I64_EXTEND_S, narrow: WRAP },
  'i64.32u': { bytes: 4, extract: 0x1b, replace: 0x1c, widen: I64_EXTEND_U, narrow: WRAP },
  'i64.16s': { bytes: 2, extract: 0x18, replace: 0x1a, widen: I64_EXTEND_S, narrow: WRAP },
  'i64.16u': { bytes: 2, extract: 0x19, replace: 0x1a, widen: I64_EXTEND_U, narrow: WRAP },
  'i64.8s': { bytes: 1, extract: 0x15, replace: 0x17, widen: I64_EXTEND_S, narrow: WRAP },
  'i64.8u': { bytes: 1, extract: 0x16, replace: 0x17, widen: I64_EXTEND_U, narrow: WRAP },
  'i32.16u': { bytes: 2, extract: 0x19, replace: 0x1a },
  'i32.8u': { bytes: 1, extract: 0x16, replace: 0x17 },
};

/**
 * The vector registers of a region: locals, loaded on entry when the region reads them, written back at its
 * exits when it writes them. What each is known to hold is remembered along straight code, see `facts`.
 */
export class VectorLocals {
  readonly #f: FunctionWriter;
  readonly #cpu: number;
  readonly #locals = new Map<number, number>();
  readonly #written = new Set<number>();
  /**
   * For the code being emitted, by half: FACT bits; and behind them the number of loops around it in which
   * the half was written, that is the first of #loops since whose head it was not.
   */
  readonly #known = new Uint8Array(2 * HALVES);
  /** loops around the code being emitted, outermost first: facts that were missed, by half */
  readonly #loops: Uint8Array[] = [];

  /** @param cpu local that holds the linear offset of the state block */
  constructor(f: FunctionWriter, cpu: number) {
    this.#f = f;
    this.#cpu = cpu;
  }

  /** True for state offsets of vector registers. */
  owns(offset: number): boolean {
    return offset >= STATE.xmm && offset < STATE.xmm + HALVES * HALF_BYTES;
  }

  /** Pushes what `access` reads at state offset `offset`. */
  read(offset: number, access: Access): void {
    const f = this.#f.get(this.#local(offset));
    if (access === 'v128') return;
    const lane = laneOf(access);
    f.op(0xfd, lane.extract, this.#laneNumber(offset, lane));
    if (lane.widen !== undefined) f.op(lane.widen);
  }

  /** Writes what `value` pushes, of the type of `access`; the other lanes stay. */
  write(offset: number, access: Access, value: () => void): void {
    const f = this.#f;
    const local = this.#local(offset);
    const half = (offset - STATE.xmm) >> 4;
    this.#written.add(half);
    this.#known[half] = 0;
    this.#known[HALVES + half] = this.#loops.length;
    if (access === 'v128') {
      value();
      f.set(local);
      return;
    }
    const lane = laneOf(access);
    f.get(local);
    value();
    if (lane.narrow !== undefined) f.op(lane.narrow);
    f.op(0xfd, lane.replace, this.#laneNumber(offset, lane)).set(local);
  }

  /** Loads what the region uses: for the start of the function. */
  load(): void {
    for (const [half, local] of this.#locals)
      this.#f
        .get(this.#cpu)
        .memory(LOAD_V128, STATE.xmm + half * HALF_BYTES)
        .set(local);
  }

  /** Writes back what the region changed: for its end. */
  store(): void {
    for (const half of this.#written)
      this.#f
        .get(this.#cpu)
        .get(this.#locals.get(half) as number)
        .memory(STORE_V128, STATE.xmm + half * HALF_BYTES);
  }

  // --- what is known

  /** True when all of `facts` are known of the register at `offset`. */
  knows(offset: number, facts: number): boolean {
    const half = (offset - STATE.xmm) >> 4;
    if (((this.#known[half] as number) & facts) === facts) return true;
    // Known at the head of this loop, it would still be.
    const missed = this.#loops[this.#known[HALVES + half] as number];
    if (missed !== undefined) missed[half] = (missed[half] as number) | facts;
    return false;
  }

  /** From here on the register at `offset` has these facts besides those it had. */
  learn(offset: number, facts: number): void {
    const half = (offset - STATE.xmm) >> 4;
    this.#known[half] = (this.#known[half] as number) | facts;
  }

  /** All that is known of the register at `offset`. */
  facts(offset: number): number {
    return this.#known[(offset - STATE.xmm) >> 4] as number;
  }

  /** The same of all halves of registers. */
  allFacts(): Uint8Array {
    return this.#known.slice(0, HALVES);
  }

  /** Nothing is known: any register may have been written. */
  forget(): void {
    this.#known.fill(0, 0, HALVES);
    this.#known.fill(this.#loops.length, HALVES);
  }

  save(): Uint8Array {
    return this.#known.slice();
  }
  restore(saved: Uint8Array): void {
    this.#known.set(saved);
  }

  /** What is known where code that was left with `saved` and the present code meet. */
  meet(saved: Uint8Array | undefined): Uint8Array {
    const met = this.save();
    saved?.forEach((each, i) => {
      const own = met[i] as number;
      met[i] = i < HALVES ? own & each : Math.max(own, each);
    });
    return met;
  }

  /** State offsets of registers of which not all of `facts` (by half) are known, and what is missing. */
  missing(facts: Uint8Array): { readonly offset: number; readonly facts: number }[] {
    return [...facts].flatMap((each, half) => {
      const open = each & ~(this.#known[half] as number);
      return open === 0 ? [] : [{ offset: STATE.xmm + half * HALF_BYTES, facts: open }];
    });
  }

  /** The head of a loop: only `facts` are known, by half. */
  enterLoop(facts: Uint8Array): void {
    const depth = this.#loops.length;
    for (let half = 0; half < HALVES; half++) {
      this.#known[half] = (this.#known[half] as number) & (facts[half] as number);
      this.#known[HALVES + half] = Math.min(this.#known[HALVES + half] as number, depth);
    }
    this.#loops.push(new Uint8Array(HALVES));
  }

  /** The end of the loop. Returns the facts that would have been useful at its head. */
  leaveLoop(): Uint8Array {
    return this.#loops.pop() as Uint8Array;
  }

  #local(offset: number): number {
    const half = (offset - STATE.xmm) >> 4;
    let local = this.#locals.get(half);
    if (local === undefined) {
      local = this.#f.local(V128);
      this.#locals.set(half, local);
    }
    return local;
  }

  #laneNumber(offset: number, lane: Lane): number {
    return ((offset - STATE.xmm) % HALF_BYTES) / lane.bytes;
  }
}

function laneOf(access: Access): Lane {
  const lane = LANES[access];
  if (lane === undefined)
    throw new Error(`Vivarium internal error: vector register access ${access}`);
  return lane;
}
