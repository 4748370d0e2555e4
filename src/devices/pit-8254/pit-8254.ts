/**
 * The 8254 interval timer of a PC: counter 0 is the system tick (ISA interrupt 0), counter 1 once
 * refreshed memory, counter 2 drives the speaker and is gated by port 0x61.
 * Intel 8254 data sheet (231164-005); port 0x61 as in the PIIX data sheet, "NMI Status and Control".
 *
 * Left out: the sound itself, NMI sources of port 0x61, ticks missed by a late host (they merge).
 */
import type { Clock, Device, InterruptLine, RegisterBank, Timer } from '../../bus/mod.ts';
import {
  type Checked,
  finite,
  integer,
  list,
  optional,
  type Persist,
  record,
  section,
} from '../../state/mod.ts';
import { byteBank } from '../byte-bank.ts';
import { Channel, checkChannelState, freshChannel } from './channel.ts';

/** The shortest time between two interrupts of counter 0. */
const MIN_PERIOD_NANOSECONDS = 20_000;
/** Half a period of the memory refresh signal on bit 4 of port 0x61. */
const REFRESH_NANOSECONDS = 15_085;

const CONTROL_GATE2 = 0x01;
const CONTROL_KEPT = 0x0f;

const checkState = record({
  channels: list(checkChannelState, 3),
  systemControl: integer(0, CONTROL_KEPT),
  alarm: optional(finite),
});
export type Pit8254State = Checked<typeof checkState>;

export interface Pit8254Options {
  readonly clock: Clock;
  /** OUT of counter 0. */
  readonly line: InterruptLine;
}

export class Pit8254 implements Device {
  readonly name = 'pit-8254';
  /** Ports 0x40 to 0x43. */
  readonly registers: RegisterBank;
  /** Port 0x61. */
  readonly systemControl: RegisterBank;
  readonly persist: Persist<Pit8254State>;
  readonly #clock: Clock;
  readonly #line: InterruptLine;
  readonly #alarm: Timer;
  #alarmAt: number | undefined;
  readonly #channels: readonly [Channel, Channel, Channel];
  #systemControl = 0;

  constructor(options: Pit8254Options) {
    this.#clock = options.clock;
    this.#line = options.line;
    this.#alarm = options.clock.timer(() => this.#rise());
    const now = () => options.clock.now();
    this.#channels = [
      new Channel(true, now, () => this.#schedule()),
      new Channel(true, now, () => {}),
      new Channel(false, now, () => {}),
    ];
    this.registers = byteBank(
      (offset) => (offset < 3 ? this.#channel(offset).read() : 0xff),
      (offset, value) => {
        if (offset < 3) this.#channel(offset).write(value);
        else this.#control(value);
      },
    );
    this.systemControl = byteBank(
      () => this.#readSystemControl(),
      (_offset, value) => {
        this.#systemControl = value & CONTROL_KEPT;
        this.#channels[2].setGate((value & CONTROL_GATE2) !== 0);
      },
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({
        channels: this.#channels.map(({ state }) => ({ ...state })),
        systemControl: this.#systemControl,
        alarm: this.#alarmAt,
      }),
      load: (state) => {
        for (let index = 0; index < 3; index++) {
          this.#channel(index).state = state.channels[index] as (typeof state.channels)[0];
        }
        this.#systemControl = state.systemControl;
        this.#setAlarm(state.alarm);
      },
    });
  }

  reset(): void {
    for (let index = 0; index < 3; index++) this.#channel(index).state = freshChannel(index < 2);
    this.#systemControl = 0;
    this.#setAlarm(undefined);
    this.#line.set(false);
  }

  #channel(index: number): Channel {
    return this.#channels[index as 0 | 1 | 2];
  }

  /** Control word: bits 7:6 counter, or 3 for read-back (bit 5 clear: count, bit 4 clear: status). */
  #control(value: number): void {
    const index = value >> 6;
    if (index < 3) {
      this.#channel(index).control(value);
      return;
    }
    for (let channel = 0; channel < 3; channel++) {
      if (value & (2 << channel)) {
        this.#channel(channel).latch((value & 0x20) === 0, (value & 0x10) === 0);
      }
    }
  }

  #readSystemControl(): number {
    const refresh = Math.floor(this.#clock.now() / REFRESH_NANOSECONDS) & 1;
    return this.#systemControl | (refresh << 4) | (this.#channels[2].output() ? 0x20 : 0);
  }

  #setAlarm(at: number | undefined): void {
    this.#alarmAt = at;
    if (at === undefined) this.#alarm.cancel();
    else this.#alarm.arm(at);
  }

  /** Counter 0 was reprogrammed. */
  #schedule(): void {
    this.#line.set(this.#channels[0].output());
    this.#setAlarm(this.#channels[0].nextRise());
  }

  #rise(): void {
    const channel = this.#channels[0];
    if (channel.strobes) this.#line.set(false);
    this.#line.set(true);
    const next = channel.nextRise();
    const earliest = this.#clock.now() + MIN_PERIOD_NANOSECONDS;
    this.#setAlarm(next === undefined ? undefined : Math.max(next, earliest));
  }
}
