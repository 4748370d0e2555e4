import type { MachineConsole } from '../../client/mod.ts';
import { LeaveKeys } from '../leave-keys.ts';
import { RawTerminal } from '../terminal.ts';
import type { Departure, Serial } from './serial.ts';

const NEWLINE = 0x0a;

/** `--serial stdio`: the guest's bytes, and nothing else, on standard output; ours from standard input. */
export class StdioSerial implements Serial {
  #terminal = new RawTerminal();
  #keys = new LeaveKeys();
  #departure = Promise.withResolvers<Departure>();
  #drained: Promise<void> = Promise.resolve();
  #lastByte = NEWLINE;
  #isBroken = false;

  connect(console: MachineConsole): void {
    this.#drained = this.#print(console);
    this.#terminal.enter();
    const { stdin } = process;
    stdin.on('error', () => this.#inputFailed());
    stdin.on('data', (bytes: Uint8Array) => this.#typed(console, bytes));
    // A terminal that ends is gone; a file or a pipe that ends leaves the machine running.
    stdin.on('end', () => {
      if (this.#terminal.isPresent) this.#departure.resolve('hang-up');
    });
  }

  get departure(): Promise<Departure> {
    return this.#departure.promise;
  }

  get isAtLineStart(): boolean {
    return this.#lastByte === NEWLINE || process.stdout.isTTY !== true;
  }

  drain(): Promise<void> {
    return this.#drained;
  }

  close(): void {
    process.stdin.pause();
    this.#terminal.leave();
  }

  async #print(console: MachineConsole): Promise<void> {
    const { stdout } = process;
    stdout.on('error', () => this.#outputFailed());
    for await (const bytes of console) {
      if (this.#isBroken) return;
      this.#lastByte = bytes.at(-1) ?? this.#lastByte;
      await new Promise<void>((resolve) => {
        stdout.write(bytes, (error) => {
          if (error) this.#outputFailed();
          resolve();
        });
      });
    }
  }

  #typed(console: MachineConsole, bytes: Uint8Array): void {
    if (!this.#terminal.isPresent) {
      // A pipe may hold more than a guest ever reads: take the next piece when this one is taken.
      process.stdin.pause();
      console.write(bytes).then(
        () => process.stdin.resume(),
        () => {},
      );
      return;
    }
    const { forGuest, leaves } = this.#keys.filter(bytes);
    // A machine that has just ended takes no more keys.
    console.write(forGuest).catch(() => {});
    if (leaves) this.#departure.resolve('left');
  }

  #outputFailed(): void {
    this.#isBroken = true;
    this.#departure.resolve(this.#terminal.isPresent ? 'hang-up' : 'output-closed');
  }

  #inputFailed(): void {
    if (this.#terminal.isPresent) this.#departure.resolve('hang-up');
  }
}
