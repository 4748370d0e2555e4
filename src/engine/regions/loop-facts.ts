import type { RegionBlock } from './graph.ts';

/** After so many attempts nothing is assumed. */
const MOST_PASSES = 5;

/**
 * What may be assumed of the vector registers at the heads of loops, so that it need not be tested in each
 * round: a region is emitted once to see what would help; again with that assumed, and tested where the
 * loop is entered; and again with less where the assumption does not hold at the end of a round.
 */
export class LoopFacts {
  /** facts by half of a register, see VectorLocals: assumed in this pass */
  readonly #assumed = new Map<RegionBlock, Uint8Array>();
  /** what the first pass missed */
  readonly #wanted = new Map<RegionBlock, Uint8Array>();
  /** what did not last a round */
  readonly #dropped = new Map<RegionBlock, Uint8Array>();
  #isBroken = false;
  #passes = 0;

  /**
   * What is assumed at the head `block`, where `known` is known before the loop: that, and what would help
   * inside, unless it was found not to last.
   */
  enter(block: RegionBlock, known: Uint8Array): Uint8Array {
    if (this.#passes === 0 || this.#passes > MOST_PASSES) return new Uint8Array(known.length);
    const wanted = this.#wanted.get(block);
    const dropped = this.#dropped.get(block);
    const assumed = known.map(
      (each, half) => (each | (wanted?.[half] ?? 0)) & ~(dropped?.[half] ?? 0),
    );
    this.#assumed.set(block, assumed);
    return assumed;
  }

  /** Notes that these facts, known at the head, would have saved tests inside. */
  want(block: RegionBlock, facts: Uint8Array): void {
    if (this.#passes === 0 && facts.some((each) => each !== 0)) this.#wanted.set(block, facts);
  }

  /** A round ends with `facts`: what was assumed must be among them. */
  endRound(block: RegionBlock, facts: Uint8Array): void {
    this.#assumed.get(block)?.forEach((each, half) => {
      const missing = each & ~(facts[half] as number);
      if (missing === 0) return;
      const dropped = this.#dropped.get(block) ?? new Uint8Array(facts.length);
      dropped[half] = (dropped[half] as number) | missing;
      this.#dropped.set(block, dropped);
      this.#isBroken = true;
    });
  }

  /** True when the region should be emitted once more. */
  again(): boolean {
    this.#passes++;
    this.#assumed.clear();
    if (this.#passes === 1) return this.#wanted.size > 0;
    const isBroken = this.#isBroken;
    this.#isBroken = false;
    return isBroken;
  }
}
