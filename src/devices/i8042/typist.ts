/**
 * Types on the keyboard at the speed of a quick person: guests keep few keys that nobody has read, a
 * BIOS sixteen, and lose what comes faster.
 */
import type { Clock, Timer } from '../../bus/mod.ts';
import type { Ps2Keyboard } from './keyboard.ts';
import type { Stroke } from './us-keyboard.ts';

const STROKE_NANOSECONDS = 8_000_000;

export class Typist {
  readonly #keyboard: Ps2Keyboard;
  readonly #clock: Clock;
  readonly #timer: Timer;
  #next: Stroke | undefined;

  constructor(options: { readonly clock: Clock; readonly keyboard: Ps2Keyboard }) {
    this.#keyboard = options.keyboard;
    this.#clock = options.clock;
    this.#timer = this.#clock.timer(() => this.#type());
  }

  /** Takes the next stroke, if the one before is done. */
  offer(stroke: Stroke): boolean {
    if (this.#next !== undefined || this.#timer.deadline !== undefined) return false;
    this.#next = stroke;
    this.#type();
    return true;
  }

  #type(): void {
    const stroke = this.#next;
    if (stroke === undefined) return;
    // What was typed before has not been read, or the guest has turned the keyboard off for now.
    if (!this.#keyboard.waiting && this.#keyboard.reporting) {
      this.#keyboard.type(...stroke);
      this.#next = undefined;
    }
    this.#timer.arm(this.#clock.now() + STROKE_NANOSECONDS);
  }
}
