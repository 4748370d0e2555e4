/**
 * The timer of a local APIC. Intel SDM Vol. 3A, "APIC Timer" and "TSC-Deadline Mode".
 * Counts are computed from guest time when read; one alarm on the clock stands for the next expiry.
 */
import type { Clock, Timer } from '../../bus/mod.ts';
import {
  boolean,
  type Checked,
  finite,
  integer,
  optional,
  record,
  refine,
  u32,
  u64,
} from '../../state/mod.ts';

export const TIMER_ONE_SHOT = 0;
export const TIMER_PERIODIC = 1;
export const TIMER_TSC_DEADLINE = 2;

/** No guest can ask for more interrupts a second than a host can count. */
const MIN_PERIOD_NANOSECONDS = 20_000;

export const checkApicTimerState = record({
  mode: integer(0, 3),
  initialCount: u32,
  divideConfiguration: refine(u32, (value) => (value & ~0x0b) === 0, 'a divide configuration'),
  /** guest time at which the count was `initialCount` */
  startedAt: finite,
  /** the one-shot count has not expired, or the periodic one runs */
  running: boolean,
  tscDeadline: u64,
  /** guest time of the next expiry */
  alarm: optional(finite),
});
export type ApicTimerState = Checked<typeof checkApicTimerState>;

export interface ApicTimerOptions {
  readonly clock: Clock;
  readonly busFrequencyHz: number;
  readonly tscFrequencyHz: number;
  /** The guest's time-stamp counter now. */
  readonly readTsc: () => bigint;
  readonly onExpire: () => void;
}

export class ApicTimer {
  readonly #clock: Clock;
  readonly #alarm: Timer;
  readonly #options: ApicTimerOptions;

  #mode = TIMER_ONE_SHOT;
  #initialCount = 0;
  #divideConfiguration = 0;
  #startedAt = 0;
  #running = false;
  #tscDeadline = 0n;
  #alarmAt: number | undefined;

  constructor(options: ApicTimerOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#alarm = options.clock.timer(() => this.#expire());
  }

  reset(): void {
    this.#setAlarm(undefined);
    this.#mode = TIMER_ONE_SHOT;
    this.#initialCount = 0;
    this.#divideConfiguration = 0;
    this.#startedAt = 0;
    this.#running = false;
    this.#tscDeadline = 0n;
  }

  /** Timer mode of the LVT entry. Entering or leaving TSC-deadline mode disarms the timer. */
  set mode(mode: number) {
    if (mode === this.#mode) return;
    const crossing = (mode === TIMER_TSC_DEADLINE) !== (this.#mode === TIMER_TSC_DEADLINE);
    this.#mode = mode;
    if (crossing) {
      this.#initialCount = 0;
      this.#running = false;
      this.#tscDeadline = 0n;
    }
    this.#schedule();
  }

  get initialCount(): number {
    return this.#initialCount;
  }

  /** Starts the count; zero stops it. Ignored in TSC-deadline mode. */
  set initialCount(count: number) {
    if (this.#mode === TIMER_TSC_DEADLINE) return;
    this.#initialCount = count >>> 0;
    this.#startedAt = this.#clock.now();
    this.#running = this.#initialCount !== 0;
    this.#schedule();
  }

  get currentCount(): number {
    if (!this.#running || this.#mode === TIMER_TSC_DEADLINE) return 0;
    const ticks = Math.floor((this.#clock.now() - this.#startedAt) / this.#tickNanoseconds());
    if (this.#mode === TIMER_PERIODIC) return this.#initialCount - (ticks % this.#initialCount);
    return Math.max(0, this.#initialCount - ticks);
  }

  get divideConfiguration(): number {
    return this.#divideConfiguration;
  }

  /** A running count goes on from its current value at the new rate. */
  set divideConfiguration(value: number) {
    const elapsedTicks = this.#initialCount - this.currentCount;
    this.#divideConfiguration = value & 0x0b;
    if (!this.#running) return;
    this.#startedAt = this.#clock.now() - elapsedTicks * this.#tickNanoseconds();
    this.#schedule();
  }

  get tscDeadline(): bigint {
    return this.#tscDeadline;
  }

  /** Ignored outside TSC-deadline mode; zero disarms; a deadline in the past expires at once. */
  set tscDeadline(deadline: bigint) {
    if (this.#mode !== TIMER_TSC_DEADLINE) return;
    this.#tscDeadline = deadline;
    this.#schedule();
  }

  save(): ApicTimerState {
    return {
      mode: this.#mode,
      initialCount: this.#initialCount,
      divideConfiguration: this.#divideConfiguration,
      startedAt: this.#startedAt,
      running: this.#running,
      tscDeadline: this.#tscDeadline,
      alarm: this.#alarmAt,
    };
  }

  load(state: ApicTimerState): void {
    this.#mode = state.mode;
    this.#initialCount = state.initialCount;
    this.#divideConfiguration = state.divideConfiguration;
    this.#startedAt = state.startedAt;
    this.#running = state.running && state.initialCount !== 0;
    this.#tscDeadline = state.tscDeadline;
    this.#setAlarm(state.alarm);
  }

  /** Divide configuration 0 to 3 and 8 to 11 mean 2, 4, 8, 16, 32, 64, 128 and 1. */
  #tickNanoseconds(): number {
    const code = (this.#divideConfiguration & 3) | ((this.#divideConfiguration & 8) >> 1);
    const divisor = 1 << ((code + 1) & 7);
    return (divisor * 1e9) / this.#options.busFrequencyHz;
  }

  #setAlarm(at: number | undefined): void {
    this.#alarmAt = at;
    if (at === undefined) this.#alarm.cancel();
    else this.#alarm.arm(at);
  }

  #schedule(): void {
    const now = this.#clock.now();
    if (this.#mode === TIMER_TSC_DEADLINE) {
      if (this.#tscDeadline === 0n) {
        this.#setAlarm(undefined);
        return;
      }
      const ticks = Number(this.#tscDeadline - this.#options.readTsc());
      if (ticks <= 0) this.#expire();
      else this.#setAlarm(now + Math.ceil((ticks * 1e9) / this.#options.tscFrequencyHz));
      return;
    }
    if (!this.#running) {
      this.#setAlarm(undefined);
      return;
    }
    const period = this.#initialCount * this.#tickNanoseconds();
    let expiry = this.#startedAt + period;
    if (this.#mode === TIMER_PERIODIC) {
      // Periods that passed unseen are one interrupt, not many.
      if (expiry <= now) {
        expiry = this.#startedAt + (Math.floor((now - this.#startedAt) / period) + 1) * period;
      }
      if (period < MIN_PERIOD_NANOSECONDS) expiry = now + MIN_PERIOD_NANOSECONDS;
    }
    this.#setAlarm(Math.ceil(expiry));
  }

  #expire(): void {
    this.#setAlarm(undefined);
    if (this.#mode === TIMER_TSC_DEADLINE) this.#tscDeadline = 0n;
    else if (this.#mode === TIMER_PERIODIC) this.#schedule();
    else this.#running = false;
    this.#options.onExpire();
  }
}
