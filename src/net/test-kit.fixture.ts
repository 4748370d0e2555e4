/** Time, chance and links for the tests of this layer. */

import type { FrameOffload, Link, LinkOffloads, LinkReceiver } from '../bus/mod.ts';
import { NO_OFFLOADS } from '../bus/mod.ts';
import type { NetClock, NetTimer } from './clock.ts';

/** A clock that stands until it is told to go on. */
export class FakeClock implements NetClock {
  #now = 0;
  readonly #timers: { deadline: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  timer(callback: () => void): NetTimer {
    const timer = { deadline: Number.POSITIVE_INFINITY, callback };
    this.#timers.push(timer);
    return {
      arm: (deadline) => {
        timer.deadline = deadline;
      },
      cancel: () => {
        timer.deadline = Number.POSITIVE_INFINITY;
      },
    };
  }

  /** The earliest deadline, or Infinity. */
  get next(): number {
    return Math.min(...this.#timers.map(({ deadline }) => deadline), Number.POSITIVE_INFINITY);
  }

  /** Lets `nanoseconds` pass and fires what comes due, in order. */
  pass(nanoseconds: number): void {
    const end = this.#now + nanoseconds;
    for (;;) {
      const next = this.next;
      if (next > end) break;
      this.#now = Math.max(this.#now, next);
      for (const timer of this.#timers) {
        if (timer.deadline > this.#now) continue;
        timer.deadline = Number.POSITIVE_INFINITY;
        timer.callback();
      }
    }
    this.#now = end;
  }
}

/** Numbers from 0 to 1 that a seed determines (xorshift, Marsaglia 2003). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

/** Bytes that tell their place: equal offsets have equal bytes, shifted data does not match. */
export function pattern(bytes: number, offset = 0): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(bytes);
  for (let index = 0; index < bytes; index++) {
    const at = offset + index;
    data[index] = at ^ (at >>> 8) ^ (at >>> 16);
  }
  return data;
}

/** An end of a link whose other end is the test. */
export class FakeLink implements Link {
  offloads: LinkOffloads = NO_OFFLOADS;
  isDrained = true;
  hasRoom = true;
  /** what was sent, the bytes copied */
  readonly sent: { frame: Uint8Array; offload: FrameOffload }[] = [];
  receiver: LinkReceiver | undefined;

  send(frame: Uint8Array, offload: FrameOffload): boolean {
    if (!this.hasRoom) return false;
    this.sent.push({ frame: frame.slice(), offload });
    return true;
  }

  connect(receiver: LinkReceiver): void {
    this.receiver = receiver;
  }

  accept(): void {}

  restart(): void {}

  poll(): boolean {
    return false;
  }
}
