import type { NetClock, NetTimer } from './clock.ts';

/** An alarm of a `TimerQueue`. */
export class QueueTimer implements NetTimer {
  readonly #queue: TimerQueue;
  readonly callback: () => void;
  /** when it fires; Infinity while it is not armed */
  deadline = Number.POSITIVE_INFINITY;
  /** its place in the heap, with a deadline that may be earlier than its own; undefined when it has none */
  queued: number | undefined;

  constructor(queue: TimerQueue, callback: () => void) {
    this.#queue = queue;
    this.callback = callback;
  }

  get isArmed(): boolean {
    return this.deadline !== Number.POSITIVE_INFINITY;
  }

  arm(deadline: number): void {
    this.deadline = deadline;
    this.#queue.changed(this);
  }

  cancel(): void {
    this.deadline = Number.POSITIVE_INFINITY;
  }
}

/**
 * Thousands of alarms on one alarm of a clock: a binary heap. A timer that is put off keeps its early place and
 * is moved when that comes up, because a retransmission timer is put off with every acknowledgement.
 */
export class TimerQueue implements NetClock {
  readonly #clock: NetClock;
  readonly #alarm: NetTimer;
  readonly #heap: { timer: QueueTimer; deadline: number }[] = [];
  #armedFor = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(clock: NetClock) {
    this.#clock = clock;
    this.#alarm = clock.timer(() => this.#run());
  }

  now(): number {
    return this.#clock.now();
  }

  timer(callback: () => void): QueueTimer {
    return new QueueTimer(this, callback);
  }

  /** Timers that take a place, armed or not. */
  get size(): number {
    return this.#heap.length;
  }

  /** Called by a timer whose deadline has changed. */
  changed(timer: QueueTimer): void {
    if (this.#isClosed) return;
    if (timer.queued !== undefined && timer.queued <= timer.deadline) return;
    timer.queued = timer.deadline;
    this.#push({ timer, deadline: timer.deadline });
    this.#arm();
  }

  /** Fires nothing from now on, and lets go of the clock's alarm. */
  close(): void {
    this.#isClosed = true;
    this.#heap.length = 0;
    this.#alarm.cancel();
  }

  #run(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.deadline > now) break;
      this.#pop();
      const { timer } = first;
      if (timer.queued !== first.deadline) continue; // another entry stands for it
      timer.queued = undefined;
      if (timer.deadline <= now) {
        timer.deadline = Number.POSITIVE_INFINITY;
        timer.callback();
      } else if (timer.isArmed) this.changed(timer);
    }
    this.#arm();
  }

  #arm(): void {
    const deadline = this.#heap[0]?.deadline ?? Number.POSITIVE_INFINITY;
    if (deadline === this.#armedFor) return;
    this.#armedFor = deadline;
    if (deadline === Number.POSITIVE_INFINITY) this.#alarm.cancel();
    else this.#alarm.arm(deadline);
  }

  #push(entry: { timer: QueueTimer; deadline: number }): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as typeof entry;
      if (above.deadline <= entry.deadline) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.deadline < (heap[child] as typeof right).deadline) child++;
      const below = heap[child] as typeof last;
      if (below.deadline >= last.deadline) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}
