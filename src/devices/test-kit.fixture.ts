/** What the unit tests of devices share: a clock turned by hand, and a line that remembers. */
import type { Clock, InterruptLine, Nanoseconds, Timer } from '../bus/mod.ts';

interface HandTimer extends Timer {
  deadline: Nanoseconds | undefined;
  readonly callback: () => void;
}

/** A clock that moves only by `advance`, firing timers in order of their deadlines. */
export class HandClock implements Clock {
  readonly epochMilliseconds: number;
  #now: Nanoseconds = 0;
  readonly #timers: HandTimer[] = [];

  constructor(epochMilliseconds = Date.UTC(2026, 10, 22, 12, 34, 56)) {
    this.epochMilliseconds = epochMilliseconds;
  }

  now(): Nanoseconds {
    return this.#now;
  }

  timer(callback: () => void): Timer {
    const timer: HandTimer = {
      deadline: undefined,
      callback,
      arm(deadline) {
        timer.deadline = deadline;
      },
      cancel() {
        timer.deadline = undefined;
      },
    };
    this.#timers.push(timer);
    return timer;
  }

  /** Moves guest time forward and fires what falls due. */
  advance(nanoseconds: Nanoseconds): void {
    const end = this.#now + nanoseconds;
    for (;;) {
      let next: HandTimer | undefined;
      for (const timer of this.#timers) {
        if (timer.deadline === undefined || timer.deadline > end) continue;
        if (next?.deadline === undefined || timer.deadline < next.deadline) next = timer;
      }
      if (next?.deadline === undefined) break;
      this.#now = Math.max(this.#now, next.deadline);
      next.deadline = undefined;
      next.callback();
    }
    this.#now = end;
  }

  /** The earliest armed deadline. */
  get nextDeadline(): Nanoseconds | undefined {
    const deadlines = this.#timers.flatMap(({ deadline }) => deadline ?? []);
    return deadlines.length === 0 ? undefined : Math.min(...deadlines);
  }
}

/** A line that remembers its level and counts its rising edges. */
export class ProbeLine implements InterruptLine {
  level = false;
  edges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}
