/**
 * How much may be under way: slow start, congestion avoidance, fast retransmit and recovery. RFC 5681, NewReno
 * RFC 6582. The link is a piece of memory, so it begins with a large window; what is lost, a busy guest dropped.
 */
const FIRST_WINDOW = 128 * 1024;
const MAX_WINDOW = 4 * 1024 * 1024;
const DUPLICATES = 3;

export class Congestion {
  readonly #segmentBytes: () => number;
  /** bytes that may be under way */
  window = FIRST_WINDOW;
  #threshold = MAX_WINDOW;
  #duplicates = 0;
  /** recovery ends when this is acknowledged */
  #recover: number | undefined;

  constructor(segmentBytes: () => number) {
    this.#segmentBytes = segmentBytes;
  }

  /**
   * `bytes` were acknowledged, all before `sequence`. True when a hole was found behind them: the first segment that
   * is not acknowledged is to be sent again.
   */
  acknowledged(
    bytes: number,
    sequence: number,
    isBefore: (a: number, b: number) => boolean,
  ): boolean {
    this.#duplicates = 0;
    const segment = this.#segmentBytes();
    if (this.#recover !== undefined) {
      if (isBefore(sequence, this.#recover)) {
        this.window = Math.max(segment, this.window - bytes + segment);
        return true;
      }
      this.#recover = undefined;
      this.window = this.#threshold;
      return false;
    }
    const growth = this.window < this.#threshold ? bytes : (segment * bytes) / this.window;
    this.window = Math.min(MAX_WINDOW, this.window + growth);
    return false;
  }

  /**
   * The same acknowledgement came again with `inFlight` bytes under way, the last before `highest`. True when that
   * means that the first segment is lost.
   */
  duplicate(inFlight: number, highest: number): boolean {
    this.#duplicates++;
    if (this.#recover !== undefined) {
      this.window = Math.min(MAX_WINDOW, this.window + this.#segmentBytes());
      return false;
    }
    if (this.#duplicates < DUPLICATES) return false;
    this.#reduce(inFlight);
    this.window = this.#threshold + DUPLICATES * this.#segmentBytes();
    this.#recover = highest;
    return true;
  }

  /** No acknowledgement came in time. */
  timedOut(inFlight: number): void {
    this.#reduce(inFlight);
    this.window = this.#segmentBytes();
    this.#duplicates = 0;
    this.#recover = undefined;
  }

  #reduce(inFlight: number): void {
    this.#threshold = Math.max(inFlight / 2, 2 * this.#segmentBytes());
  }
}
