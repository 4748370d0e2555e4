/** Nanoseconds of guest time since the machine was created; exact in a number for 104 days. */
export type Nanoseconds = number;

/** A one-shot alarm on a clock. */
export interface Timer {
  /** Fires the callback once when guest time reaches `deadline`; replaces an earlier deadline. */
  arm(deadline: Nanoseconds): void;
  cancel(): void;
  /** The armed deadline, or undefined. */
  readonly deadline: Nanoseconds | undefined;
}

/** Guest time, injected into every device that needs it. Nothing below `machine` reads another clock. */
export interface Clock {
  now(): Nanoseconds;
  timer(callback: () => void): Timer;
  /** Milliseconds since 1970-01-01 UTC at guest time zero, for the real-time clock. */
  readonly epochMilliseconds: number;
}
