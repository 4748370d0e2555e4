/**
 * The fixed hardware of ACPI: PM1 event and control registers and the power management timer.
 * ACPI specification 6.5, section 4.8 "ACPI Hardware Specification".
 *
 * ```
 *  offset 0  PM1_STS (2)   offset 2  PM1_EN (2)   offset 4  PM1_CNT (2)   offset 8  PM_TMR (4)
 * ```
 * There is no SMI command port, so the machine is always in ACPI mode (SCI_EN reads one). Left out:
 * sleep states but S5, general-purpose events, bus-master and global-lock status, the sleep button.
 */
import type { Clock, Device, InterruptLine, RegisterBank, Timer } from '../bus/mod.ts';
import { type Checked, finite, type Persist, record, section, u16 } from '../state/mod.ts';
import { partOfWord } from './byte-bank.ts';

export const PM_TIMER_FREQUENCY_HZ = 3_579_545;
/** SLP_TYP that means S5, told to the guest by `\_S5`. */
export const SLEEP_TYPE_S5 = 5;
/** SLP_TYP by which firmware that takes the board for a PIIX4 switches it off. */
const SLEEP_TYPE_PIIX_OFF = 0;
/** Bytes of the register bank, and the offsets of its blocks in it. */
export const ACPI_PM_BYTES = 16;
export const ACPI_PM_EVENT_OFFSET = 0;
export const ACPI_PM_CONTROL_OFFSET = 4;
export const ACPI_PM_TIMER_OFFSET = 8;

/** PM1_STS and PM1_EN. */
const PM1_TIMER = 1 << 0;
const PM1_POWER_BUTTON = 1 << 8;
const PM1_RTC = 1 << 10;
const PM1_WAKE = 1 << 15;
const PM1_STATUS_BITS = PM1_TIMER | PM1_POWER_BUTTON | PM1_RTC | PM1_WAKE;
const PM1_ENABLE_BITS = PM1_TIMER | (1 << 5) | PM1_POWER_BUTTON | (1 << 9) | PM1_RTC;

/** PM1_CNT. */
const PM1_SCI_ENABLE = 1 << 0;
const PM1_SLEEP_TYPE_SHIFT = 10;
const PM1_SLEEP_ENABLE = 1 << 13;
const PM1_CONTROL_KEPT = 0x1c02; // sleep type, bus-master reload

const checkState = record({ status: u16, enable: u16, control: u16, statusAsOf: finite });
export type AcpiPmState = Checked<typeof checkState>;

export interface AcpiPmOptions {
  readonly clock: Clock;
  /** The system control interrupt, level-triggered. */
  readonly line: InterruptLine;
  /** The guest entered S5. */
  readonly onShutdown: () => void;
  /** Width of the timer; the FADT must tell the same. Default 32. */
  readonly timerBits?: 24 | 32;
}

export class AcpiPm implements Device {
  readonly name = 'acpi-pm';
  /** Sixteen ports, see above. */
  readonly registers: RegisterBank;
  readonly persist: Persist<AcpiPmState>;
  readonly #options: AcpiPmOptions;
  readonly #alarm: Timer;
  readonly #timerModulus: number;
  #status = 0;
  #enable = 0;
  #control = 0;
  #statusAsOf = 0;

  constructor(options: AcpiPmOptions) {
    this.#options = options;
    this.#timerModulus = 2 ** (options.timerBits ?? 32);
    this.#alarm = options.clock.timer(() => this.#update());
    this.registers = {
      read: (offset, size) => partOfWord(this.#readWord(offset & ~3), offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    };
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({
        status: this.#status,
        enable: this.#enable,
        control: this.#control,
        statusAsOf: this.#statusAsOf,
      }),
      load: (state) => {
        this.#status = state.status & PM1_STATUS_BITS;
        this.#enable = state.enable & PM1_ENABLE_BITS;
        this.#control = state.control & PM1_CONTROL_KEPT;
        this.#statusAsOf = state.statusAsOf;
        this.#schedule();
      },
    });
  }

  reset(): void {
    this.#status = 0;
    this.#enable = 0;
    this.#control = 0;
    this.#statusAsOf = this.#options.clock.now();
    this.#update();
  }

  /** A person pressed the power button. */
  pressPowerButton(): void {
    this.#status |= PM1_POWER_BUTTON;
    this.#update();
  }

  #ticks(nanoseconds: number): number {
    return Math.floor((nanoseconds * PM_TIMER_FREQUENCY_HZ) / 1e9);
  }

  #readWord(offset: number): number {
    switch (offset) {
      case ACPI_PM_EVENT_OFFSET:
        this.#update();
        return (this.#status | (this.#enable << 16)) >>> 0;
      case ACPI_PM_CONTROL_OFFSET:
        return this.#control | PM1_SCI_ENABLE;
      case ACPI_PM_TIMER_OFFSET:
        return this.#ticks(this.#options.clock.now()) % this.#timerModulus;
      default:
        return 0;
    }
  }

  /** Bytes that an access does not touch write nothing: status is cleared by ones. */
  #write(offset: number, size: number, value: number): void {
    this.#update();
    for (let byte = 0; byte < size; byte++) {
      const bits = (value >>> (8 * byte)) & 0xff;
      const shift = 8 * ((offset + byte) & 1);
      const keep = 0xff00 >> shift;
      switch ((offset + byte) & ~1) {
        case 0:
          this.#status &= ~(bits << shift);
          break;
        case 2:
          this.#enable = ((this.#enable & keep) | (bits << shift)) & PM1_ENABLE_BITS;
          break;
        case 4:
          this.#control = (this.#control & keep) | (bits << shift);
          break;
        default:
      }
    }
    const sleep = (this.#control & PM1_SLEEP_ENABLE) !== 0;
    this.#control &= PM1_CONTROL_KEPT; // SLP_EN and the global-lock release read as zero
    this.#update();
    const type = (this.#control >> PM1_SLEEP_TYPE_SHIFT) & 7;
    if (sleep && (type === SLEEP_TYPE_S5 || type === SLEEP_TYPE_PIIX_OFF)) {
      this.#options.onShutdown();
    }
  }

  /** TMR_STS is set whenever the highest bit of the timer changes. */
  #update(): void {
    const now = this.#options.clock.now();
    const half = this.#timerModulus / 2;
    if (Math.floor(this.#ticks(now) / half) !== Math.floor(this.#ticks(this.#statusAsOf) / half)) {
      this.#status |= PM1_TIMER;
    }
    this.#statusAsOf = now;
    this.#schedule();
    this.#options.line.set((this.#status & this.#enable) !== 0);
  }

  #schedule(): void {
    if (!(this.#enable & ~this.#status & PM1_TIMER)) {
      this.#alarm.cancel();
      return;
    }
    const half = this.#timerModulus / 2;
    const next = (Math.floor(this.#ticks(this.#options.clock.now()) / half) + 1) * half;
    this.#alarm.arm(Math.ceil((next * 1e9) / PM_TIMER_FREQUENCY_HZ) + 1);
  }
}
