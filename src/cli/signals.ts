import { constants } from 'node:os';
import { EXIT_SIGNAL } from './exit-code.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Hang-ups come in flocks when a terminal closes; they never cut a clean end short. */
const PATIENT = 'SIGHUP';

/**
 * Waits for the signals that ask a program to end. The first one ends the machine cleanly; a second
 * one, from a person who has no patience, ends the process at once.
 */
export class SignalWatch {
  #first = Promise.withResolvers<number>();
  #count = 0;

  constructor() {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        const code = EXIT_SIGNAL + constants.signals[signal];
        this.#count++;
        this.#first.resolve(code);
        if (this.#count > 1 && signal !== PATIENT) process.exit(code);
      });
    }
  }

  /** The exit code that the first signal calls for, once there is one. */
  get first(): Promise<number> {
    return this.#first.promise;
  }
}
