/** A stopwatch over a host's monotonic clock: stands at zero until started, and stands while stopped. */
export class PausableClock {
  #hostNow: () => number;
  #elapsed = 0;
  #since: number | undefined;

  /** `hostNow` gives monotonic nanoseconds. */
  constructor(hostNow: () => number) {
    this.#hostNow = hostNow;
  }

  /** Nanoseconds for which the clock has run. */
  now(): number {
    return this.#since === undefined
      ? this.#elapsed
      : this.#elapsed + (this.#hostNow() - this.#since);
  }

  start(): void {
    this.#since ??= this.#hostNow();
  }

  stop(): void {
    this.#elapsed = this.now();
    this.#since = undefined;
  }
}
