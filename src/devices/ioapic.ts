/**
 * The I/O APIC: 24 pins, each routed as a message to local APICs by an entry of its redirection table.
 * Intel 82093AA data sheet (May 1996), section 3; the EOI register (version 0x20) as in Intel's ICH
 * data sheets.
 *
 * ```
 *  63         56 55  17  16   15    14         13       12     11      10:8      7:0
 *  destination   0       mask level remote IRR polarity status logical delivery  vector
 * ```
 * Lines are logical: `set(true)` asserts, whatever polarity the entry says. An edge on a masked pin is
 * lost, as the data sheet has it. Left out: ExtINT entries (the 8259 pair is wired to LINT0), arbitration.
 */
import type { Device, InterruptLine, RegisterBank } from '../bus/mod.ts';
import {
  type Checked,
  integer,
  list,
  type Persist,
  record,
  section,
  u8,
  u32,
} from '../state/mod.ts';
import { partOfWord } from './byte-bank.ts';
import { type ApicBus, widenDestination } from './local-apic/apic-bus.ts';

export const IOAPIC_PINS = 24;
/** Where the register page of a PC's first I/O APIC lies. */
export const IOAPIC_DEFAULT_BASE = 0xfec0_0000;

const VERSION = 0x20 | ((IOAPIC_PINS - 1) << 16);

const ENTRY_DELIVERY_STATUS = 1 << 12;
const ENTRY_REMOTE_IRR = 1 << 14;
const ENTRY_LEVEL = 1 << 15;
const ENTRY_MASKED = 1 << 16;
const ENTRY_READ_ONLY = ENTRY_DELIVERY_STATUS | ENTRY_REMOTE_IRR;
const ENTRY_WRITABLE = 0x0001_ffff & ~ENTRY_READ_ONLY;

/** Offsets in the register page. */
const IOREGSEL = 0x00;
const IOWIN = 0x10;
const EOIR = 0x40;

const checkState = record({
  select: u8,
  id: integer(0, 15),
  levels: integer(0, 2 ** IOAPIC_PINS - 1),
  low: list(integer(0, 0x1_ffff), IOAPIC_PINS),
  high: list(u32, IOAPIC_PINS),
});
export type IoapicState = Checked<typeof checkState>;

export interface IoapicOptions {
  readonly apicBus: ApicBus;
  readonly id?: number;
}

export class Ioapic implements Device {
  readonly name = 'ioapic';
  /** The register page. */
  readonly registers: RegisterBank;
  readonly persist: Persist<IoapicState>;
  readonly #bus: ApicBus;
  readonly #initialId: number;
  #select = 0;
  #id: number;
  /** bit n: pin n is asserted */
  #levels = 0;
  readonly #low: number[] = new Array(IOAPIC_PINS).fill(ENTRY_MASKED);
  readonly #high: number[] = new Array(IOAPIC_PINS).fill(0);

  constructor(options: IoapicOptions) {
    this.#bus = options.apicBus;
    this.#initialId = options.id ?? 0;
    this.#id = this.#initialId;
    this.#bus.onEndOfInterrupt((vector) => this.#endOfInterrupt(vector));
    this.registers = {
      read: (offset, size) => partOfWord(this.#readPage(offset & ~3), offset, size),
      write: (offset, _size, value) => this.#writePage(offset, value),
    };
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({
        select: this.#select,
        id: this.#id,
        levels: this.#levels,
        low: [...this.#low],
        high: [...this.#high],
      }),
      load: (state) => {
        this.#select = state.select;
        this.#id = state.id;
        this.#levels = state.levels;
        for (let pin = 0; pin < IOAPIC_PINS; pin++) {
          this.#low[pin] = state.low[pin] as number;
          this.#high[pin] = state.high[pin] as number;
        }
      },
    });
  }

  reset(): void {
    this.#select = 0;
    this.#id = this.#initialId;
    this.#levels = 0;
    this.#low.fill(ENTRY_MASKED);
    this.#high.fill(0);
  }

  /** The input pin `pin`, 0 to 23. */
  line(pin: number): InterruptLine {
    const mask = 1 << pin;
    return {
      set: (level) => {
        const before = this.#levels;
        this.#levels = level ? before | mask : before & ~mask;
        if (level && !(before & mask)) this.#service(pin);
      },
    };
  }

  #readPage(offset: number): number {
    switch (offset) {
      case IOREGSEL:
        return this.#select;
      case IOWIN:
        return this.#readSelected();
      default:
        return 0;
    }
  }

  #writePage(offset: number, value: number): void {
    switch (offset) {
      case IOREGSEL:
        this.#select = value & 0xff;
        break;
      case IOWIN:
        this.#writeSelected(value);
        break;
      case EOIR:
        this.#endOfInterrupt(value & 0xff);
        break;
      default:
    }
  }

  #readSelected(): number {
    switch (this.#select) {
      case 0: // IOAPICID
      case 2: // IOAPICARB
        return this.#id << 24;
      case 1: // IOAPICVER
        return VERSION;
    }
    const pin = (this.#select - 0x10) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return 0;
    return ((this.#select & 1 ? this.#high : this.#low)[pin] as number) >>> 0;
  }

  #writeSelected(value: number): void {
    if (this.#select === 0) {
      this.#id = (value >>> 24) & 0xf;
      return;
    }
    const pin = (this.#select - 0x10) >> 1;
    if (pin < 0 || pin >= IOAPIC_PINS) return;
    if (this.#select & 1) {
      this.#high[pin] = (value & 0xff00_0000) >>> 0;
      return;
    }
    const kept = (this.#low[pin] as number) & ENTRY_READ_ONLY;
    let entry = kept | (value & ENTRY_WRITABLE);
    if (!(entry & ENTRY_LEVEL)) entry &= ~ENTRY_REMOTE_IRR;
    this.#low[pin] = entry;
    // A level that waited behind the mask is delivered now; an edge is not.
    if (entry & ENTRY_LEVEL && this.#levels & (1 << pin)) this.#service(pin);
  }

  #service(pin: number): void {
    const entry = this.#low[pin] as number;
    if (entry & ENTRY_MASKED) return;
    const levelTriggered = (entry & ENTRY_LEVEL) !== 0;
    if (levelTriggered) {
      if (entry & ENTRY_REMOTE_IRR) return;
      this.#low[pin] = entry | ENTRY_REMOTE_IRR;
    }
    this.#bus.send({
      destination: widenDestination((this.#high[pin] as number) >>> 24),
      logical: (entry & 0x800) !== 0,
      mode: (entry >> 8) & 7,
      vector: entry & 0xff,
      levelTriggered,
    });
  }

  /** A level-triggered interrupt was serviced: its pins are heard again. */
  #endOfInterrupt(vector: number): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const entry = this.#low[pin] as number;
      if ((entry & 0xff) !== vector || !(entry & ENTRY_REMOTE_IRR)) continue;
      this.#low[pin] = entry & ~ENTRY_REMOTE_IRR;
      if (this.#levels & (1 << pin)) this.#service(pin);
    }
  }
}
