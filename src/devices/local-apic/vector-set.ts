/**
 * A set of interrupt vectors, laid out as the eight 32-bit words of IRR, ISR and TMR, that knows
 * its highest member.
 */
export class VectorSet {
  readonly words = new Uint32Array(8);
  #highest = -1;

  /** The highest vector in the set, or -1. */
  get highest(): number {
    return this.#highest;
  }

  has(vector: number): boolean {
    return ((this.words[vector >> 5] as number) & (1 << (vector & 31))) !== 0;
  }

  add(vector: number): void {
    this.words[vector >> 5] = (this.words[vector >> 5] as number) | (1 << (vector & 31));
    if (vector > this.#highest) this.#highest = vector;
  }

  delete(vector: number): void {
    this.words[vector >> 5] = (this.words[vector >> 5] as number) & ~(1 << (vector & 31));
    if (vector === this.#highest) this.#highest = this.#scan();
  }

  clear(): void {
    this.words.fill(0);
    this.#highest = -1;
  }

  /** Replaces the content by eight words. */
  assign(words: Uint32Array): void {
    this.words.set(words);
    this.#highest = this.#scan();
  }

  #scan(): number {
    for (let index = 7; index >= 0; index--) {
      const word = this.words[index] as number;
      if (word !== 0) return index * 32 + 31 - Math.clz32(word);
    }
    return -1;
  }
}
