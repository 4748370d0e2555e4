import type { RegionBlock } from './graph.ts';

/** After so many attempts nothing is assumed. */
const MOST_PASSES = 4;

/**
 * What may be assumed of the vector registers at the heads of loops, so that it need not be tested in each
 * round: a region is emitted once to see what would help; again with that assumed, and tested where the
 * loop is entered; and again with less where the assumption does not hold at the end of a round.
 */
export class LoopFacts {
  /** facts by half of a register, see VectorLocals */
  #assumed = new Map<RegionBlock, Uint8Array>();
  readonly #wanted = new Map<RegionBlock, Uint8Array>();
  #isBroken = false;
  #passes = 0;

  /** What is assumed at the head `block`, if anything. */
  assumed(block: RegionBlock): Uint8Array | undefined {
    return this.#assumed.get(block);
  }

  /** Notes that these facts, known at the head, would have saved tests inside. */
  want(block: RegionBlock, facts: Uint8Array): void {
    if (this.#passes === 0 && facts.some((each) => each !== 0)) this.#wanted.set(block, facts);
  }

  /** A round ends with `facts`: what was assumed must be among them. */
  endRound(block: RegionBlock, facts: Uint8Array): void {
    const assumed = this.#assumed.get(block);
    assumed?.forEach((each, half) => {
      const kept = each & (facts[half] as number);
      if (kept === each) return;
      assumed[half] = kept;
      this.#isBroken = true;
    });
  }

  /** True when the region should be emitted once more. */
  again(): boolean {
    this.#passes++;
    if (this.#passes === 1) {
      this.#assumed = new Map(this.#wanted);
      return this.#assumed.size > 0;
    }
    if (!this.#isBroken) return false;
    this.#isBroken = false;
    if (this.#passes >= MOST_PASSES) this.#assumed.clear();
    return true;
  }
}
