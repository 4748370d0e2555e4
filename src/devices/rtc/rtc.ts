/**
 * The real-time clock and battery-backed memory of a PC: an MC146818 with 128 bytes.
 * Motorola MC146818 data sheet (1984). Time is UTC, from the injected clock.
 *
 * The chip's flags come and go with time even when nothing looks; here they are worked out when
 * register C is read or an enabled one falls due. Left out: square wave, daylight saving, the day-of-month
 * alarm, the second bank at ports 0x72 and 0x73, the NMI mask in bit 7 of the index.
 */
import type { Clock, Device, InterruptLine, RegisterBank, Timer } from '../../bus/mod.ts';
import {
  boolean,
  bytes,
  type Checked,
  finite,
  integer,
  list,
  optional,
  type Persist,
  record,
  section,
  u8,
} from '../../state/mod.ts';
import { byteBank } from '../byte-bank.ts';
import {
  decodeTime,
  encodeTime,
  nextAlarm,
  RTC_B_24_HOURS,
  RTC_HOURS_ALARM,
  RTC_MINUTES_ALARM,
  RTC_SECONDS_ALARM,
  TIME_REGISTERS,
} from './time-registers.ts';

const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;
const CMOS_BYTES = 128;

const A_UPDATE_IN_PROGRESS = 0x80;
const A_DIVIDER = 0x70;
const A_DIVIDER_32768_HZ = 0x20;
const A_DIVIDER_RESET = 0x60; // and 0x70
const A_RATE = 0x0f;

const B_SET = 0x80;
/** Enables in B and flags in C share their bits. */
const PERIODIC = 0x40;
const ALARM = 0x20;
const UPDATE = 0x10;
const C_INTERRUPT = 0x80;

const D_VALID_RAM_AND_TIME = 0x80;

/** Update in progress is announced this long before the time changes. */
const UPDATE_WARNING_MILLISECONDS = 0.244;
const POWER_ON_A = A_DIVIDER_32768_HZ | 0x06; // 1024 Hz

const checkState = record({
  index: integer(0, CMOS_BYTES - 1),
  memory: bytes(CMOS_BYTES),
  registerA: integer(0, 0x7f),
  registerB: u8,
  flags: integer(0, 0x70),
  flagsAsOf: finite,
  /** what the guest's clock is ahead of the injected one */
  offsetMilliseconds: finite,
  /** the time registers while updates are inhibited */
  held: optional(list(u8, TIME_REGISTERS.length)),
  line: boolean,
});
export type RtcState = Checked<typeof checkState>;

export interface RtcOptions {
  readonly clock: Clock;
  readonly line: InterruptLine;
  /** Initial content of the memory, by index 0x0e to 0x7f, for firmware that reads it. */
  readonly memory?: Readonly<Record<number, number>>;
}

export class Rtc implements Device {
  readonly name = 'rtc';
  /** Ports 0x70 (index) and 0x71 (data). */
  readonly registers: RegisterBank;
  readonly persist: Persist<RtcState>;
  readonly #clock: Clock;
  readonly #line: InterruptLine;
  readonly #alarm: Timer;
  #index = 0;
  #memory = new Uint8Array(CMOS_BYTES);
  #registerA = POWER_ON_A;
  #registerB = RTC_B_24_HOURS;
  #flags = 0;
  #flagsAsOf = 0;
  #offset = 0;
  #held: number[] | undefined;
  #lineLevel = false;

  constructor(options: RtcOptions) {
    this.#clock = options.clock;
    this.#line = options.line;
    this.#alarm = options.clock.timer(() => this.#update());
    for (const [index, value] of Object.entries(options.memory ?? {})) {
      this.#memory[Number(index)] = value;
    }
    this.registers = byteBank(
      (offset) => (offset === 0 ? 0xff : this.#read(this.#index)),
      (offset, value) => {
        if (offset === 0) this.#index = value & (CMOS_BYTES - 1);
        else this.#write(this.#index, value);
      },
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({
        index: this.#index,
        memory: this.#memory.slice(),
        registerA: this.#registerA,
        registerB: this.#registerB,
        flags: this.#flags,
        flagsAsOf: this.#flagsAsOf,
        offsetMilliseconds: this.#offset,
        held: this.#held?.slice(),
        line: this.#lineLevel,
      }),
      load: (state) => {
        this.#index = state.index;
        this.#memory = state.memory;
        this.#registerA = state.registerA;
        this.#registerB = state.registerB;
        this.#flags = state.flags;
        this.#flagsAsOf = state.flagsAsOf;
        this.#offset = state.offsetMilliseconds;
        this.#held = state.held;
        this.#lineLevel = state.line;
        this.#schedule();
      },
    });
  }

  /** Clears interrupts; the battery keeps time and memory. */
  reset(): void {
    this.#registerB &= ~(PERIODIC | ALARM | UPDATE | 0x08);
    this.#flags = 0;
    this.#flagsAsOf = this.#clock.now();
    this.#index = 0;
    this.#schedule();
    this.#updateLine();
  }

  #read(index: number): number {
    switch (index) {
      case REGISTER_A:
        return this.#registerA | (this.#updateInProgress() ? A_UPDATE_IN_PROGRESS : 0);
      case REGISTER_B:
        return this.#registerB;
      case REGISTER_C: {
        this.#update();
        const flags = this.#flags;
        const interrupt = this.#lineLevel ? C_INTERRUPT : 0;
        this.#flags = 0;
        this.#update();
        return flags | interrupt;
      }
      case REGISTER_D:
        return D_VALID_RAM_AND_TIME;
    }
    const position = TIME_REGISTERS.indexOf(index);
    if (position >= 0) return this.#timeRegisters()[position] as number;
    return this.#memory[index] as number;
  }

  #write(index: number, value: number): void {
    this.#update();
    switch (index) {
      case REGISTER_A:
        this.#writeA(value & ~A_UPDATE_IN_PROGRESS);
        break;
      case REGISTER_B:
        this.#writeB(value);
        break;
      case REGISTER_C:
      case REGISTER_D:
        return;
      default: {
        const position = TIME_REGISTERS.indexOf(index);
        if (position < 0) {
          this.#memory[index] = value;
        } else if (this.#held !== undefined) {
          this.#held[position] = value;
        } else {
          const registers = this.#timeRegisters();
          registers[position] = value;
          this.#setTime(registers);
        }
      }
    }
    this.#update();
  }

  #writeA(value: number): void {
    const wasReset = (this.#registerA & A_DIVIDER_RESET) === A_DIVIDER_RESET;
    this.#registerA = value & (A_DIVIDER | A_RATE);
    // The first update comes half a second after the divider is released.
    if (wasReset && (value & A_DIVIDER_RESET) !== A_DIVIDER_RESET) {
      const time = this.#milliseconds();
      this.#offset += Math.floor(time / 1000) * 1000 + 500 - time;
    }
  }

  #writeB(value: number): void {
    if (value & B_SET && this.#held === undefined) {
      this.#held = this.#timeRegisters();
      this.#registerB = value & ~UPDATE;
      return;
    }
    // Setting the SET bit clears the update interrupt.
    this.#registerB = value & B_SET ? value & ~UPDATE : value;
    if (!(value & B_SET) && this.#held !== undefined) {
      const held = this.#held;
      this.#held = undefined;
      this.#setTime(held);
    }
  }

  /** Guest time of day in milliseconds since 1970 UTC, with its fraction. */
  #milliseconds(): number {
    return this.#millisecondsAt(this.#clock.now());
  }

  #millisecondsAt(nanoseconds: number): number {
    return this.#clock.epochMilliseconds + nanoseconds / 1e6 + this.#offset;
  }

  #timeRegisters(): number[] {
    if (this.#held !== undefined) return this.#held.slice();
    return encodeTime(Math.floor(this.#milliseconds()), this.#registerB);
  }

  /** The divider goes on through a change of the time, so its fraction of a second stays. */
  #setTime(registers: readonly number[]): void {
    const wanted = decodeTime(registers, this.#registerB);
    if (wanted === undefined) return;
    const now = this.#milliseconds();
    this.#offset += wanted - Math.floor(now / 1000) * 1000;
    this.#flagsAsOf = this.#clock.now();
  }

  #stopped(): boolean {
    return this.#held !== undefined || (this.#registerA & A_DIVIDER_RESET) === A_DIVIDER_RESET;
  }

  #updateInProgress(): boolean {
    if (this.#stopped()) return false;
    const fraction = this.#milliseconds() % 1000;
    return fraction >= 1000 - UPDATE_WARNING_MILLISECONDS;
  }

  /** Rate selection n is 32768 / 2^(n-1) Hz; 1 and 2 mean what 8 and 9 do. */
  #periodNanoseconds(): number | undefined {
    const rate = this.#registerA & A_RATE;
    if (rate === 0 || this.#stopped()) return undefined;
    return (2 ** ((rate <= 2 ? rate + 7 : rate) - 1) * 1e9) / 32768;
  }

  #nextAlarmSecond(after: number): number | undefined {
    const alarm = {
      second: this.#memory[RTC_SECONDS_ALARM] as number,
      minute: this.#memory[RTC_MINUTES_ALARM] as number,
      hour: this.#memory[RTC_HOURS_ALARM] as number,
    };
    return nextAlarm(after, alarm, this.#registerB);
  }

  /** Sets the flags of what happened since they were last worked out. */
  #update(): void {
    const now = this.#clock.now();
    if (now > this.#flagsAsOf) {
      const period = this.#periodNanoseconds();
      if (period !== undefined && Math.floor(now / period) > Math.floor(this.#flagsAsOf / period)) {
        this.#flags |= PERIODIC;
      }
      if (!this.#stopped()) {
        const before = Math.floor(this.#millisecondsAt(this.#flagsAsOf) / 1000);
        const after = Math.floor(this.#millisecondsAt(now) / 1000);
        if (after > before) {
          this.#flags |= UPDATE;
          const alarm = this.#nextAlarmSecond(before);
          if (alarm !== undefined && alarm <= after) this.#flags |= ALARM;
        }
      }
      this.#flagsAsOf = now;
    }
    this.#schedule();
    this.#updateLine();
  }

  /** Wakes at the next event that would raise the line. */
  #schedule(): void {
    const waiting = this.#registerB & ~this.#flags & (PERIODIC | ALARM | UPDATE);
    if (waiting === 0 || this.#flags & this.#registerB) {
      this.#alarm.cancel();
      return;
    }
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    const period = this.#periodNanoseconds();
    if (waiting & PERIODIC && period !== undefined) {
      next = (Math.floor(now / period) + 1) * period;
    }
    if (waiting & (ALARM | UPDATE) && !this.#stopped()) {
      const time = this.#millisecondsAt(now);
      const second = Math.floor(time / 1000);
      const due = waiting & UPDATE ? second + 1 : this.#nextAlarmSecond(second);
      if (due !== undefined) next = Math.min(next, now + (due * 1000 - time) * 1e6);
    }
    // One nanosecond later, so that rounding cannot wake us just before the event.
    if (Number.isFinite(next)) this.#alarm.arm(Math.ceil(next) + 1);
    else this.#alarm.cancel();
  }

  #updateLine(): void {
    const level = (this.#flags & this.#registerB & (PERIODIC | ALARM | UPDATE)) !== 0;
    if (level === this.#lineLevel) return;
    this.#lineLevel = level;
    this.#line.set(level);
  }
}
