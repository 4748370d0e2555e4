import { MILLISECOND, SECOND } from '../clock.ts';

const FIRST_TIMEOUT = 1 * SECOND;
const MIN_TIMEOUT = 200 * MILLISECOND;
const MAX_TIMEOUT = 60 * SECOND;

/** Estimates the round-trip time and how long to wait for an acknowledgement. RFC 6298. */
export class RoundTrip {
  #smoothed: number | undefined;
  #variation = 0;
  /** retransmission timeout in nanoseconds */
  timeout = FIRST_TIMEOUT;
  #timed: { readonly sequence: number; readonly at: number } | undefined;

  /** Notes that the byte before `sequence` leaves now, if no other is being timed. */
  sent(sequence: number, now: number): void {
    this.#timed ??= { sequence, at: now };
  }

  /** What is being timed may have been sent twice: its acknowledgement tells nothing (Karn). */
  forget(): void {
    this.#timed = undefined;
  }

  /** Everything before `sequence` is acknowledged; `isAfter` compares sequence numbers. */
  acknowledged(sequence: number, now: number, isAfter: (a: number, b: number) => boolean): void {
    if (this.#timed === undefined || isAfter(this.#timed.sequence, sequence)) return;
    const sample = now - this.#timed.at;
    this.#timed = undefined;
    if (this.#smoothed === undefined) {
      this.#smoothed = sample;
      this.#variation = sample / 2;
    } else {
      this.#variation += (Math.abs(sample - this.#smoothed) - this.#variation) / 4;
      this.#smoothed += (sample - this.#smoothed) / 8;
    }
    this.settle();
  }

  /** Ends the back-off: new data was acknowledged. */
  settle(): void {
    const wanted =
      this.#smoothed === undefined ? FIRST_TIMEOUT : this.#smoothed + 4 * this.#variation;
    this.timeout = Math.min(MAX_TIMEOUT, Math.max(MIN_TIMEOUT, wanted));
  }

  backOff(): void {
    this.timeout = Math.min(MAX_TIMEOUT, this.timeout * 2);
  }
}
