import type { NetClock, NetTimer } from '../../../net/mod.ts';

/** Longest time that `setTimeout` takes, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

/** The host's monotonic clock. */
export class NodeClock implements NetClock {
  now(): number {
    return performance.now() * 1e6;
  }

  timer(callback: () => void): NetTimer {
    let handle: NodeJS.Timeout | undefined;
    return {
      arm: (deadline) => {
        clearTimeout(handle);
        const delay = Math.ceil((deadline - this.now()) / 1e6);
        handle = setTimeout(callback, Math.min(MAX_DELAY, Math.max(0, delay)));
      },
      cancel: () => clearTimeout(handle),
    };
  }
}
