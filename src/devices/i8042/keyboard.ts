/**
 * A PS/2 keyboard that speaks scan code set 2 (and believes what it is told of other sets).
 * IBM PS/2 technical reference, "Keyboard"; commands 0xed to 0xff.
 */
import { type Checked, integer, record } from '../../state/mod.ts';
import {
  checkPs2State,
  PS2_ACK,
  PS2_RESEND,
  PS2_SELF_TEST_PASSED,
  Ps2Device,
} from './ps2-device.ts';

const SET_LEDS = 0xed;
const ECHO = 0xee;
const SCAN_CODE_SET = 0xf0;
const IDENTIFY = 0xf2;
const SET_TYPEMATIC = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const SET_DEFAULTS = 0xf6;
const RESET = 0xff;

export const checkKeyboardState = record({
  ps2: checkPs2State,
  leds: integer(0, 0xff),
  scanCodeSet: integer(1, 3),
});
export type KeyboardState = Checked<typeof checkKeyboardState>;

export class Ps2Keyboard extends Ps2Device {
  #leds = 0;
  #scanCodeSet = 2;

  /** Bytes of scan code set 2, as keys are pressed and released. Lost while the host listens not. */
  type(...codes: readonly number[]): void {
    if (this.reporting) this.send(...codes);
  }

  /** Scroll, number and capitals lock in bits 0, 1 and 2. */
  get leds(): number {
    return this.#leds;
  }

  save(): KeyboardState {
    return { ps2: this.savePs2(), leds: this.#leds, scanCodeSet: this.#scanCodeSet };
  }

  load(state: KeyboardState): void {
    this.loadPs2(state.ps2);
    this.#leds = state.leds;
    this.#scanCodeSet = state.scanCodeSet;
  }

  protected override setDefaults(): void {
    this.reporting = true;
    this.#leds = 0;
    this.#scanCodeSet = 2;
  }

  protected override takesParameter(command: number): boolean {
    return command === SET_LEDS || command === SCAN_CODE_SET || command === SET_TYPEMATIC;
  }

  protected override command(command: number): void {
    switch (command) {
      case ECHO:
        this.send(ECHO);
        break;
      case IDENTIFY:
        this.send(PS2_ACK, 0xab, 0x83);
        break;
      case ENABLE:
        this.reporting = true;
        this.send(PS2_ACK);
        break;
      case DISABLE:
        this.setDefaults();
        this.reporting = false;
        this.send(PS2_ACK);
        break;
      case SET_DEFAULTS:
        this.setDefaults();
        this.send(PS2_ACK);
        break;
      case RESET:
        this.setDefaults();
        this.send(PS2_ACK, PS2_SELF_TEST_PASSED);
        break;
      default:
        // 0xf7 to 0xfd set key types of set 3; the rest are unknown.
        this.send(command >= 0xf7 && command <= 0xfd ? PS2_ACK : PS2_RESEND);
    }
  }

  protected override parameter(command: number, value: number): void {
    if (command === SET_LEDS) this.#leds = value;
    if (command === SCAN_CODE_SET) {
      if (value === 0) {
        this.send(PS2_ACK, this.#scanCodeSet);
        return;
      }
      if (value > 3) {
        this.send(PS2_RESEND);
        return;
      }
      this.#scanCodeSet = value;
    }
    this.send(PS2_ACK);
  }
}
