import type { MachineConsole } from '../../client/mod.ts';
import type { Departure, Serial } from './serial.ts';

/** `--serial none`: what the guest prints is dropped; it gets no input. */
export class NoSerial implements Serial {
  readonly isAtLineStart = true;
  readonly departure = new Promise<Departure>(() => {});

  /** Output that nobody reads never holds the guest up. */
  connect(_console: MachineConsole): void {}

  async drain(): Promise<void> {}

  close(): void {}
}
