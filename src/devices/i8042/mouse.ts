/**
 * A PS/2 mouse with three buttons, and a wheel once the host asks for it by the sample rates
 * 200, 100, 80 (Microsoft IntelliMouse). IBM PS/2 technical reference, "Mouse".
 *
 * ```
 * packet  y overflow | x overflow | y sign | x sign | 1 | middle | right | left,  dx,  dy [, dz]
 * ```
 */
import { boolean, type Checked, integer, list, record, u8 } from '../../state/mod.ts';
import {
  checkPs2State,
  PS2_ACK,
  PS2_RESEND,
  PS2_SELF_TEST_PASSED,
  Ps2Device,
} from './ps2-device.ts';

const SCALING_1_1 = 0xe6;
const SCALING_2_1 = 0xe7;
const SET_RESOLUTION = 0xe8;
const STATUS = 0xe9;
const STREAM_MODE = 0xea;
const READ_DATA = 0xeb;
const REMOTE_MODE = 0xf0;
const IDENTIFY = 0xf2;
const SET_SAMPLE_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const SET_DEFAULTS = 0xf6;
const RESET = 0xff;

const ID_PLAIN = 0;
const ID_WHEEL = 3;
const WHEEL_KNOCK = '200,100,80';

export const checkMouseState = record({
  ps2: checkPs2State,
  id: integer(0, ID_WHEEL),
  resolution: u8,
  sampleRate: u8,
  lastRates: list(u8, 3),
  doubled: boolean,
  remote: boolean,
  buttons: integer(0, 7),
});
export type MouseState = Checked<typeof checkMouseState>;

export class Ps2Mouse extends Ps2Device {
  #id = ID_PLAIN;
  #resolution = 2;
  #sampleRate = 100;
  #lastRates = [0, 0, 0];
  #doubled = false;
  #remote = false;
  #buttons = 0;

  /**
   * Movement since the last report, right and up positive; `wheel` positive towards the user;
   * `buttons` left, right, middle in bits 0, 1, 2.
   */
  move(dx: number, dy: number, wheel: number, buttons: number): void {
    this.#buttons = buttons & 7;
    if (this.reporting && !this.#remote) this.send(...this.#packet(dx, dy, wheel));
  }

  save(): MouseState {
    return {
      ps2: this.savePs2(),
      id: this.#id,
      resolution: this.#resolution,
      sampleRate: this.#sampleRate,
      lastRates: [...this.#lastRates],
      doubled: this.#doubled,
      remote: this.#remote,
      buttons: this.#buttons,
    };
  }

  load(state: MouseState): void {
    this.loadPs2(state.ps2);
    this.#id = state.id;
    this.#resolution = state.resolution;
    this.#sampleRate = state.sampleRate;
    this.#lastRates = state.lastRates;
    this.#doubled = state.doubled;
    this.#remote = state.remote;
    this.#buttons = state.buttons;
  }

  protected override setDefaults(): void {
    this.reporting = false;
    this.#resolution = 2;
    this.#sampleRate = 100;
    this.#doubled = false;
    this.#remote = false;
  }

  protected override takesParameter(command: number): boolean {
    return command === SET_RESOLUTION || command === SET_SAMPLE_RATE;
  }

  protected override command(command: number): void {
    switch (command) {
      case SCALING_1_1:
      case SCALING_2_1:
        this.#doubled = command === SCALING_2_1;
        break;
      case STATUS:
        this.send(PS2_ACK, this.#status(), this.#resolution, this.#sampleRate);
        return;
      case STREAM_MODE:
      case REMOTE_MODE:
        this.#remote = command === REMOTE_MODE;
        break;
      case READ_DATA:
        this.send(PS2_ACK, ...this.#packet(0, 0, 0));
        return;
      case IDENTIFY:
        this.send(PS2_ACK, this.#id);
        return;
      case ENABLE:
      case DISABLE:
        this.reporting = command === ENABLE;
        break;
      case SET_DEFAULTS:
        this.setDefaults();
        break;
      case RESET:
        this.setDefaults();
        this.#id = ID_PLAIN;
        this.send(PS2_ACK, PS2_SELF_TEST_PASSED, ID_PLAIN);
        return;
      default:
        this.send(PS2_RESEND);
        return;
    }
    this.send(PS2_ACK);
  }

  protected override parameter(command: number, value: number): void {
    if (command === SET_RESOLUTION) {
      this.#resolution = value;
    } else {
      this.#sampleRate = value;
      this.#lastRates = [...this.#lastRates.slice(1), value];
      if (this.#lastRates.join() === WHEEL_KNOCK) this.#id = ID_WHEEL;
    }
    this.send(PS2_ACK);
  }

  #status(): number {
    const { left, right, middle } = {
      left: this.#buttons & 1,
      right: (this.#buttons >> 1) & 1,
      middle: (this.#buttons >> 2) & 1,
    };
    return (
      (left << 2) |
      (middle << 1) |
      right |
      (this.#doubled ? 0x10 : 0) |
      (this.reporting ? 0x20 : 0) |
      (this.#remote ? 0x40 : 0)
    );
  }

  #packet(dx: number, dy: number, wheel: number): number[] {
    const x = Math.max(-255, Math.min(255, Math.trunc(dx)));
    const y = Math.max(-255, Math.min(255, Math.trunc(dy)));
    const head = 0x08 | this.#buttons | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0);
    const packet = [head, x & 0xff, y & 0xff];
    if (this.#id === ID_WHEEL) packet.push(Math.max(-8, Math.min(7, Math.trunc(wheel))) & 0xff);
    return packet;
  }
}
