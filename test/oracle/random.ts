/** A seeded generator (xoshiro128**, Blackman and Vigna): the same seed gives the same cases everywhere. */
export class Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;

  /** Streams of different `stream` numbers are independent: one a case. */
  constructor(seed: number, stream = 0) {
    let x = (seed ^ Math.imul(stream + 1, 0x9e37_79b9)) | 0;
    const next = () => {
      x = (x + 0x9e37_79b9) | 0;
      let z = x ^ (x >>> 16);
      z = Math.imul(z, 0x21f0_aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a_2d97);
      return z ^ (z >>> 15);
    };
    this.#a = next() ^ seed;
    this.#b = next() ^ stream;
    this.#c = next();
    this.#d = next() | 1;
    for (let i = 0; i < 4; i++) this.u32();
  }

  u32(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * bound);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }
}
