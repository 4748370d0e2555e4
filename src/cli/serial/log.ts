import { type MachineConsole, VivariumError, why } from '../../client/mod.ts';
import { ConsoleLog } from '../../daemon/mod.ts';
import type { Departure, Serial } from './serial.ts';

/** The serial line of a machine in the background: a log beside its record, and whoever attaches. */
export class LogSerial implements Serial {
  readonly isAtLineStart = true;
  #log: ConsoleLog;
  #departure = Promise.withResolvers<Departure>();
  #drained: Promise<void> = Promise.resolve();
  #isOpen = true;

  constructor(directory: string) {
    this.#log = new ConsoleLog(directory);
  }

  connect(console: MachineConsole): void {
    this.#drained = this.#copy(console);
  }

  get departure(): Promise<Departure> {
    return this.#departure.promise;
  }

  drain(): Promise<void> {
    return this.#drained;
  }

  close(): void {
    if (this.#isOpen) this.#log.close();
    this.#isOpen = false;
  }

  async #copy(console: MachineConsole): Promise<void> {
    try {
      for await (const bytes of console) this.#log.write(bytes);
    } catch (error) {
      const message = `cannot write the log of the console: ${why(error)}`;
      this.#departure.reject(new VivariumError('serial-unwritable', message, { cause: error }));
    }
  }
}
