/**
 * A PCI function with a type 0 header: identification, command and status, base address registers,
 * capabilities, and one interrupt pin. PCI Local Bus Specification 3.0, chapter 6.
 *
 * ```
 *  00 vendor, device    04 command, status   08 revision, class     0c cache line, latency, type
 *  10..27 BARs          2c subsystem         34 capability list     3c interrupt line, pin
 * ```
 * Left out: expansion ROM, CardBus, built-in self-test, parity and error reporting (the bits read zero),
 * extended configuration space.
 */
import type { AccessSize, InterruptLine, RegisterBank } from '../../bus/mod.ts';
import {
  boolean,
  bytes,
  type Checked,
  type Persist,
  type Persistent,
  record,
  refine,
  section,
} from '../../state/mod.ts';
import { PCI_CONFIG_BYTES, PciConfigSpace } from './config-space.ts';

export const PCI_COMMAND = 0x04;
export const PCI_COMMAND_IO = 1 << 0;
export const PCI_COMMAND_MEMORY = 1 << 1;
export const PCI_COMMAND_BUS_MASTER = 1 << 2;
export const PCI_COMMAND_INTX_DISABLE = 1 << 10;
const PCI_COMMAND_WRITABLE = 0x0547; // I/O, memory, bus master, parity, SERR, INTx disable
const PCI_STATUS = 0x06;
const PCI_STATUS_INTERRUPT = 1 << 3;
const PCI_STATUS_CAPABILITIES = 1 << 4;
const PCI_CACHE_LINE_SIZE = 0x0c;
const PCI_LATENCY_TIMER = 0x0d;
const PCI_HEADER_TYPE = 0x0e;
const PCI_HEADER_MULTI_FUNCTION = 0x80;
export const PCI_BASE_ADDRESS_0 = 0x10;
const PCI_SUBSYSTEM_VENDOR_ID = 0x2c;
const PCI_SUBSYSTEM_ID = 0x2e;
const PCI_CAPABILITY_LIST = 0x34;
export const PCI_INTERRUPT_LINE = 0x3c;
const PCI_INTERRUPT_PIN = 0x3d;
const FIRST_CAPABILITY = 0x40;

const BAR_IO = 0x1;
const BAR_MEMORY_64 = 0x4;
const BAR_PREFETCHABLE = 0x8;
export const PCI_BAR_COUNT = 6;

/** A window of registers whose place the guest decides. */
export interface PciBar {
  readonly kind: 'io' | 'memory32' | 'memory64';
  /** A power of two: at least 4 for I/O, 16 for memory. */
  readonly bytes: number;
  readonly prefetchable?: boolean;
  readonly bank: RegisterBank;
  /** for a window of memory: told where the guest sees it, or that it does not */
  readonly onMove?: (address: number | undefined) => void;
}

/** A window as it is decoded now. */
export interface PciWindow {
  readonly bar: number;
  readonly space: 'io' | 'memory';
  readonly address: number;
  readonly bytes: number;
  readonly bank: RegisterBank;
}

export interface PciFunctionOptions {
  readonly name: string;
  readonly vendorId: number;
  readonly deviceId: number;
  /** base class, subclass and interface: 0xccssii */
  readonly classCode: number;
  readonly revision?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 1 to 4 for INTA to INTD; 0, the default, for none */
  readonly interruptPin?: number;
  readonly multiFunction?: boolean;
  /** By register; a 64-bit BAR takes its register and the next, which must be left undefined. */
  readonly bars?: readonly (PciBar | undefined)[];
  /** After every write by the guest, for what lies outside the header. */
  readonly onConfigWrite?: (offset: number, size: AccessSize, value: number) => void;
  /** Before every read by the guest: the device may set what is to be read. */
  readonly onConfigRead?: (offset: number, size: AccessSize) => void;
}

/** What the bridge wants to hear from a function. */
export interface PciFunctionOwner {
  decodeChanged(): void;
  interruptChanged(): void;
}

const checkShape = record({ config: bytes(PCI_CONFIG_BYTES), interrupt: boolean });
export type PciFunctionState = Checked<typeof checkShape>;

export class PciFunction implements Persistent<PciFunctionState> {
  readonly name: string;
  readonly config = new PciConfigSpace();
  readonly bars: readonly (PciBar | undefined)[];
  /** The function's interrupt pin. */
  readonly interrupt: InterruptLine;
  readonly persist: Persist<PciFunctionState>;
  readonly #onConfigWrite: PciFunctionOptions['onConfigWrite'];
  readonly #onConfigRead: PciFunctionOptions['onConfigRead'];
  #owner: PciFunctionOwner | undefined;
  #interruptAsserted = false;
  #nextCapability = FIRST_CAPABILITY;
  #lastCapability = 0;

  constructor(options: PciFunctionOptions) {
    this.name = options.name;
    this.bars = options.bars ?? [];
    this.#onConfigWrite = options.onConfigWrite;
    this.#onConfigRead = options.onConfigRead;
    this.#writeHeader(options);
    this.interrupt = {
      set: (level) => {
        this.#interruptAsserted = level;
        const status = this.config.get(PCI_STATUS, 2) & ~PCI_STATUS_INTERRUPT;
        this.config.set(PCI_STATUS, 2, status | (level ? PCI_STATUS_INTERRUPT : 0));
        this.#owner?.interruptChanged();
      },
    };
    this.persist = section({
      name: this.name,
      version: 1,
      check: refine(
        checkShape,
        ({ config, interrupt }) => {
          const comparable = config.slice();
          comparable[PCI_STATUS] = (comparable[PCI_STATUS] as number) & ~PCI_STATUS_INTERRUPT;
          const asserted = ((config[PCI_STATUS] as number) & PCI_STATUS_INTERRUPT) !== 0;
          return asserted === interrupt && this.#acceptsConfig(comparable);
        },
        'the configuration of this device',
      ),
      save: () => ({ config: this.config.save(), interrupt: this.#interruptAsserted }),
      load: (state) => {
        this.config.load(state.config);
        this.#interruptAsserted = state.interrupt;
        this.#owner?.decodeChanged();
      },
    });
  }

  /** Called once by the bridge that the function is plugged into. */
  attach(owner: PciFunctionOwner): void {
    this.#owner = owner;
  }

  /** Forgets addresses, command and interrupt. Capabilities reset with the device that owns them. */
  reset(): void {
    this.config.clearWritable();
    for (let bar = 0; bar < this.bars.length; bar++) this.#initialiseBar(bar);
    this.interrupt.set(false);
    this.#owner?.decodeChanged();
  }

  /** 1 to 4 for INTA to INTD, 0 for none. */
  get interruptPin(): number {
    return this.config.get(PCI_INTERRUPT_PIN, 1);
  }

  /** The function pulls its pin, and the guest has not disabled it. */
  get interruptLevel(): boolean {
    return (
      this.#interruptAsserted && (this.config.get(PCI_COMMAND, 2) & PCI_COMMAND_INTX_DISABLE) === 0
    );
  }

  /** The guest allows this function to access memory. */
  get busMaster(): boolean {
    return (this.config.get(PCI_COMMAND, 2) & PCI_COMMAND_BUS_MASTER) !== 0;
  }

  /**
   * Adds a capability of `body.length` + 2 bytes and returns its offset. `writable` masks the body's
   * bits that the guest may write. Throws when configuration space is full.
   */
  addCapability(id: number, body: Uint8Array, writable?: Uint8Array): number {
    const offset = this.#nextCapability;
    if (offset + 2 + body.length > PCI_CONFIG_BYTES) throw new RangeError('no room for capability');
    this.config.set(offset, 1, id);
    for (let index = 0; index < body.length; index++) {
      this.config.set(offset + 2 + index, 1, body[index] as number);
      this.config.allow(offset + 2 + index, 1, writable?.[index] ?? 0);
    }
    this.config.set(
      this.#lastCapability === 0 ? PCI_CAPABILITY_LIST : this.#lastCapability + 1,
      1,
      offset,
    );
    this.config.set(PCI_STATUS, 2, this.config.get(PCI_STATUS, 2) | PCI_STATUS_CAPABILITIES);
    this.#lastCapability = offset;
    this.#nextCapability = (offset + 2 + body.length + 3) & ~3;
    return offset;
  }

  readConfig(offset: number, size: AccessSize): number {
    this.#onConfigRead?.(offset, size);
    return this.config.get(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    const decodeBefore = this.config.get(PCI_COMMAND, 2);
    this.config.write(offset, size, value);
    const end = offset + size;
    if (offset < PCI_BASE_ADDRESS_0 + 4 * PCI_BAR_COUNT && end > PCI_BASE_ADDRESS_0) {
      this.#owner?.decodeChanged();
    }
    const changed = decodeBefore ^ this.config.get(PCI_COMMAND, 2);
    if (changed & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY)) this.#owner?.decodeChanged();
    if (changed & PCI_COMMAND_INTX_DISABLE) this.#owner?.interruptChanged();
    this.#onConfigWrite?.(offset, size, value);
  }

  /** Address that BAR `bar` holds, whether or not it is decoded. */
  barAddress(bar: number): number {
    const kind = this.bars[bar]?.kind;
    const low = this.config.get(PCI_BASE_ADDRESS_0 + 4 * bar, 4);
    if (kind === 'io') return (low & ~0x3) >>> 0;
    const high = kind === 'memory64' ? this.config.get(PCI_BASE_ADDRESS_0 + 4 * bar + 4, 4) : 0;
    return high * 2 ** 32 + ((low & ~0xf) >>> 0);
  }

  /** Puts BAR `bar` at `address`, as firmware does. */
  setBarAddress(bar: number, address: number): void {
    this.writeConfig(PCI_BASE_ADDRESS_0 + 4 * bar, 4, address % 2 ** 32);
    if (this.bars[bar]?.kind === 'memory64') {
      this.writeConfig(PCI_BASE_ADDRESS_0 + 4 * bar + 4, 4, Math.floor(address / 2 ** 32));
    }
  }

  /** The windows that the command register lets the function answer in. */
  windows(): PciWindow[] {
    const command = this.config.get(PCI_COMMAND, 2);
    const result: PciWindow[] = [];
    for (let index = 0; index < this.bars.length; index++) {
      const bar = this.bars[index];
      if (bar === undefined) continue;
      const space = bar.kind === 'io' ? 'io' : 'memory';
      if (!(command & (space === 'io' ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY))) continue;
      const address = this.barAddress(index);
      const limit = space === 'io' ? 0x1_0000 : 2 ** 52;
      if (address === 0 || address + bar.bytes > limit) continue;
      result.push({ bar: index, space, address, bytes: bar.bytes, bank: bar.bank });
    }
    return result;
  }

  #writeHeader(options: PciFunctionOptions): void {
    const { config } = this;
    config.set(0x00, 2, options.vendorId);
    config.set(0x02, 2, options.deviceId);
    config.allow(PCI_COMMAND, 2, PCI_COMMAND_WRITABLE);
    config.set(0x08, 4, ((options.classCode << 8) | (options.revision ?? 0)) >>> 0);
    config.allow(PCI_CACHE_LINE_SIZE, 1, 0xff);
    config.allow(PCI_LATENCY_TIMER, 1, 0xff);
    config.set(PCI_HEADER_TYPE, 1, options.multiFunction ? PCI_HEADER_MULTI_FUNCTION : 0);
    config.set(PCI_SUBSYSTEM_VENDOR_ID, 2, options.subsystemVendorId ?? 0);
    config.set(PCI_SUBSYSTEM_ID, 2, options.subsystemId ?? 0);
    config.allow(PCI_INTERRUPT_LINE, 1, 0xff);
    config.set(PCI_INTERRUPT_PIN, 1, options.interruptPin ?? 0);
    for (let bar = 0; bar < this.bars.length; bar++) this.#initialiseBar(bar);
  }

  /** Read-only low bits tell the kind; address bits below the size are zero, by which it is sized. */
  #initialiseBar(index: number): void {
    const bar = this.bars[index];
    if (bar === undefined) return;
    const at = PCI_BASE_ADDRESS_0 + 4 * index;
    const kindBits =
      bar.kind === 'io'
        ? BAR_IO
        : (bar.kind === 'memory64' ? BAR_MEMORY_64 : 0) | (bar.prefetchable ? BAR_PREFETCHABLE : 0);
    const low = bar.bytes < 2 ** 32 ? ~(bar.bytes - 1) >>> 0 : 0;
    this.config.set(at, 4, kindBits);
    this.config.allow(at, 4, (low & (bar.kind === 'io' ? ~0x3 : ~0xf)) >>> 0);
    if (bar.kind !== 'memory64') return;
    const highBytes = Math.max(1, bar.bytes / 2 ** 32);
    this.config.set(at + 4, 4, 0);
    this.config.allow(at + 4, 4, ~(highBytes - 1) >>> 0);
  }

  #acceptsConfig(saved: Uint8Array): boolean {
    const status = this.config.get(PCI_STATUS, 2);
    this.config.set(PCI_STATUS, 2, status & ~PCI_STATUS_INTERRUPT);
    const accepted = this.config.accepts(saved);
    this.config.set(PCI_STATUS, 2, status);
    return accepted;
  }
}
