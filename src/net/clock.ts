/** A one-shot alarm. The clock of a machine (`bus/clock.ts`) has the same shape. */
export interface NetTimer {
  /** Fires the callback once at `deadline`, in nanoseconds; replaces an earlier deadline. */
  arm(deadline: number): void;
  cancel(): void;
}

/** Time as the network needs it: monotonic nanoseconds and alarms. Injected; a test's clock is a number. */
export interface NetClock {
  now(): number;
  timer(callback: () => void): NetTimer;
}

export const MILLISECOND = 1e6;
export const SECOND = 1e9;
