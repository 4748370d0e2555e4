import type { Clock, Nanoseconds, Timer } from '../bus/mod.ts';

class BoardTimer implements Timer {
  readonly #callback: () => void;
  readonly #changed: () => void;
  deadline: Nanoseconds | undefined;

  constructor(callback: () => void, changed: () => void) {
    this.#callback = callback;
    this.#changed = changed;
  }

  arm(deadline: Nanoseconds): void {
    this.deadline = deadline;
    this.#changed();
  }

  cancel(): void {
    this.deadline = undefined;
    this.#changed();
  }

  fire(): void {
    this.deadline = undefined;
    this.#callback();
  }
}

/** Guest time from the host's monotonic clock, and the alarms of all devices. */
export class BoardClock implements Clock {
  readonly epochMilliseconds: number;
  readonly #source: () => Nanoseconds;
  readonly #timers: BoardTimer[] = [];
  #next: Nanoseconds | undefined;

  constructor(source: () => Nanoseconds, epochMilliseconds: number) {
    this.#source = source;
    this.epochMilliseconds = epochMilliseconds;
  }

  now(): Nanoseconds {
    return this.#source();
  }

  timer(callback: () => void): Timer {
    const timer = new BoardTimer(callback, () => {
      this.#next = undefined;
    });
    this.#timers.push(timer);
    return timer;
  }

  /** The earliest deadline, or Infinity. */
  nextDeadline(): Nanoseconds {
    if (this.#next === undefined) {
      let next = Number.POSITIVE_INFINITY;
      for (const { deadline } of this.#timers) {
        if (deadline !== undefined && deadline < next) next = deadline;
      }
      this.#next = next;
    }
    return this.#next;
  }

  /** Fires what is due, earliest first. */
  runDue(): void {
    const now = this.now();
    while (this.nextDeadline() <= now) {
      let first: BoardTimer | undefined;
      for (const timer of this.#timers) {
        if (timer.deadline === undefined) continue;
        if (first === undefined || timer.deadline < (first.deadline as number)) first = timer;
      }
      this.#next = undefined;
      first?.fire();
    }
  }
}
