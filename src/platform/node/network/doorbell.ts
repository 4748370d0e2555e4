/** A word in shared memory on which a thread with an event loop waits for one without. */
export class Doorbell {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(memory = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** How often it has rung. */
  get count(): number {
    return Atomics.load(this.#words, 0);
  }

  ring(): void {
    Atomics.add(this.#words, 0, 1);
    Atomics.notify(this.#words, 0);
  }

  /** Resolves when it has rung more often than `count`. */
  async next(count: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, 0, count);
    if (wait.async) await wait.value;
  }
}
