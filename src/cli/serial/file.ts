import { closeSync, openSync, writeSync } from 'node:fs';
import { type MachineConsole, VivariumError, why } from '../../client/mod.ts';
import type { Departure, Serial } from './serial.ts';

/** `--serial FILE`: what the guest prints goes to a file; it gets no input. */
export class FileSerial implements Serial {
  readonly isAtLineStart = true;
  #path: string;
  #file: number;
  #isOpen = true;
  #departure = Promise.withResolvers<Departure>();
  #drained: Promise<void> = Promise.resolve();

  /** Creates or empties the file. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, 'w');
    } catch (error) {
      throw this.#cannotWrite(error);
    }
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
    if (this.#isOpen) closeSync(this.#file);
    this.#isOpen = false;
  }

  async #copy(console: MachineConsole): Promise<void> {
    for await (const bytes of console) {
      try {
        for (let done = 0; done < bytes.length; ) {
          done += writeSync(this.#file, bytes, done);
        }
      } catch (error) {
        this.#departure.reject(this.#cannotWrite(error));
        return;
      }
    }
  }

  #cannotWrite(error: unknown): VivariumError {
    const message = `cannot write the serial output to ${this.#path}: ${why(error)}`;
    return new VivariumError('serial-unwritable', message, { cause: error });
  }
}
