/** What PS/2 keyboard and mouse share: a queue of bytes to the host, and commands with a parameter. */
import { boolean, type Checked, list, optional, record, u8 } from '../../state/mod.ts';

export const PS2_ACK = 0xfa;
export const PS2_SELF_TEST_PASSED = 0xaa;
export const PS2_RESEND = 0xfe;

/** Answers are short; what a person types beyond this is lost, as in hardware. */
const QUEUE_BYTES = 64;

export const checkPs2State = record({
  queue: list(u8, 0, QUEUE_BYTES),
  /** the command that waits for its parameter byte */
  pendingCommand: optional(u8),
  lastSent: u8,
  reporting: boolean,
});
export type Ps2State = Checked<typeof checkPs2State>;

export abstract class Ps2Device {
  /** The device sends what happens to it. */
  reporting = false;
  #queue: number[] = [];
  #pendingCommand: number | undefined;
  #lastSent = 0;
  readonly #onData: () => void;

  /** `onData` is called when bytes wait for the controller. */
  constructor(onData: () => void) {
    this.#onData = onData;
  }

  get waiting(): boolean {
    return this.#queue.length > 0;
  }

  /** The next byte for the controller. Call only when `waiting`. */
  take(): number {
    this.#lastSent = this.#queue.shift() ?? 0;
    return this.#lastSent;
  }

  /** A byte from the host. */
  receive(byte: number): void {
    const command = this.#pendingCommand;
    if (command !== undefined) {
      this.#pendingCommand = undefined;
      this.parameter(command, byte);
    } else if (byte === PS2_RESEND) {
      this.send(this.#lastSent);
    } else {
      this.#queue = []; // a command abandons what was not sent
      if (this.takesParameter(byte)) {
        this.#pendingCommand = byte;
        this.send(PS2_ACK);
      } else {
        this.command(byte);
      }
    }
  }

  reset(): void {
    this.#queue = [];
    this.#pendingCommand = undefined;
    this.#lastSent = 0;
    this.setDefaults();
  }

  savePs2(): Ps2State {
    return {
      queue: [...this.#queue],
      pendingCommand: this.#pendingCommand,
      lastSent: this.#lastSent,
      reporting: this.reporting,
    };
  }

  loadPs2(state: Ps2State): void {
    this.#queue = state.queue;
    this.#pendingCommand = state.pendingCommand;
    this.#lastSent = state.lastSent;
    this.reporting = state.reporting;
  }

  /** Queues all of `bytes`, or none when they do not fit. */
  protected send(...bytes: readonly number[]): void {
    if (this.#queue.length + bytes.length > QUEUE_BYTES) return;
    this.#queue.push(...bytes);
    this.#onData();
  }

  protected abstract setDefaults(): void;
  protected abstract takesParameter(command: number): boolean;
  protected abstract command(command: number): void;
  protected abstract parameter(command: number, value: number): void;
}
