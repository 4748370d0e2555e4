import { constants } from 'node:os';
import { EXIT_SIGNAL } from './exit-code.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Hang-ups come in flocks when a terminal closes; they never cut a clean end short. */
const PATIENT = 'SIGHUP';
/**
 * Milliseconds within which further signals are the same one: a terminal sends its signals to this
 * process and to the one that started it, which hands them on.
 */
const ECHO = 300;

/**
 * Waits for the signals that ask a program to end. The first one ends the machine cleanly; a second
 * one, from a person who has no patience, ends the process at once.
 */
export class SignalWatch {
  #first = Promise.withResolvers<number>();
  #firstAt: number | undefined;

  /** `ofChannel`: whoever started this process over a channel may end it by going away. */
  constructor(ofChannel = true) {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        const code = EXIT_SIGNAL + constants.signals[signal];
        this.#firstAt ??= performance.now();
        this.#first.resolve(code);
        const isEcho = performance.now() - this.#firstAt < ECHO;
        if (!isEcho && signal !== PATIENT) process.exit(code);
      });
    }
    if (!ofChannel) return;
    // Whoever started this process over a channel is gone: as if the terminal had closed.
    process.on('disconnect', () => this.#first.resolve(EXIT_SIGNAL + constants.signals.SIGHUP));
    process.channel?.unref();
  }

  /** The exit code that the first signal calls for, once there is one. */
  get first(): Promise<number> {
    return this.#first.promise;
  }
}
