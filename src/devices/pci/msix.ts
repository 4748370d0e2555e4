/**
 * MSI-X: interrupts of a PCI function as messages. PCI Local Bus Specification 3.0, section 6.8.2.
 *
 * ```
 * capability  02 message control: 15 enable   14 function mask   10:0 vectors - 1
 *             04 table offset | BAR           08 pending bits offset | BAR
 * table       16 bytes a vector: 0 address low   4 address high   8 data   c control, bit 0 masks
 * ```
 * Messages go to local APICs (0xfeexxxxx) alone; others are lost.
 */
import type { AccessSize, RegisterBank } from '../../bus/mod.ts';
import {
  bytes,
  type Checked,
  type Persist,
  type Persistent,
  record,
  section,
} from '../../state/mod.ts';
import { partOfWord } from '../byte-bank.ts';
import type { PciFunction } from './function.ts';

const CAPABILITY_MSIX = 0x11;
const CONTROL_ENABLE = 0x8000;
const CONTROL_FUNCTION_MASK = 0x4000;
const ENTRY_BYTES = 16;
const ENTRY_MASKED = 1;
const APIC_RANGE = 0xfee;
export const MSIX_MAX_VECTORS = 2048;

/** Delivers a message: a write of `data` to `address`. */
export type SendMsi = (address: number, data: number) => void;

export interface MsixOptions {
  readonly vectors: number;
  readonly sendMsi: SendMsi;
}

/** Where table and pending bits lie among the function's registers. */
export interface MsixPlace {
  readonly bar: number;
  readonly tableOffset: number;
  readonly pendingOffset: number;
}

/**
 * @example
 * const msix = new Msix({ vectors: 3, sendMsi });
 * msix.attach(pciFunction, { bar: 0, tableOffset: 0x4000, pendingOffset: 0x5000 });
 * msix.trigger(1);
 */
export class Msix implements Persistent<MsixState> {
  readonly vectors: number;
  /** 16 bytes a vector. */
  readonly table: RegisterBank;
  /** One bit a vector, in groups of 64. */
  readonly pending: RegisterBank;
  readonly persist: Persist<MsixState>;
  readonly #sendMsi: SendMsi;
  readonly #words: Uint32Array;
  readonly #pending: Uint8Array;
  #function: PciFunction | undefined;
  #capability = 0;

  constructor(options: MsixOptions) {
    const { vectors } = options;
    if (vectors < 1 || vectors > MSIX_MAX_VECTORS) throw new RangeError('MSI-X vectors');
    this.vectors = vectors;
    this.#sendMsi = options.sendMsi;
    this.#words = new Uint32Array(vectors * 4);
    this.#pending = new Uint8Array(Math.ceil(vectors / 64) * 8);
    this.#maskAll();
    this.table = {
      read: (offset, size) => partOfWord(this.#words[offset >> 2] ?? 0, offset, size),
      write: (offset, size, value) => this.#writeTable(offset, size, value),
    };
    this.pending = {
      read: (offset, size) => {
        let value = 0;
        for (let byte = 0; byte < size; byte++) {
          value |= (this.#pending[offset + byte] ?? 0) << (8 * byte);
        }
        return value >>> 0;
      },
      write() {},
    };
    this.persist = section({
      name: 'msix',
      version: 1,
      check: record({ table: bytes(vectors * ENTRY_BYTES), pending: bytes(this.#pending.length) }),
      save: () => ({
        table: new Uint8Array(this.#words.slice().buffer),
        pending: this.#pending.slice(),
      }),
      load: (state) => {
        const table = new DataView(state.table.buffer);
        for (let word = 0; word < this.#words.length; word++) {
          const value = table.getUint32(word * 4, true);
          this.#words[word] = (word & 3) === 3 ? value & ENTRY_MASKED : value;
        }
        this.#pending.set(state.pending);
      },
    });
  }

  /** Bytes of the table, and of the pending bits. */
  get tableBytes(): number {
    return this.vectors * ENTRY_BYTES;
  }
  get pendingBytes(): number {
    return this.#pending.length;
  }

  /** Adds the capability to `target`, whose owner calls `controlChanged` after writes to it. */
  attach(target: PciFunction, place: MsixPlace): void {
    const body = new DataView(new ArrayBuffer(10));
    body.setUint16(0, this.vectors - 1, true);
    body.setUint32(2, place.tableOffset | place.bar, true);
    body.setUint32(6, place.pendingOffset | place.bar, true);
    const writable = new Uint8Array(10);
    writable[1] = (CONTROL_ENABLE | CONTROL_FUNCTION_MASK) >> 8;
    this.#function = target;
    this.#capability = target.addCapability(CAPABILITY_MSIX, new Uint8Array(body.buffer), writable);
  }

  /** The guest uses messages instead of the interrupt pin. */
  get enabled(): boolean {
    return (this.#control & CONTROL_ENABLE) !== 0;
  }

  get #control(): number {
    return this.#function?.config.get(this.#capability + 2, 2) ?? 0;
  }

  /** Sends the message of `vector`, at once or when the guest unmasks it. */
  trigger(vector: number): void {
    if (vector >= this.vectors || !this.enabled) return;
    if (this.#isMasked(vector)) this.#setPending(vector, true);
    else this.#send(vector);
  }

  /** To be called after configuration writes at `offset`: function mask or enable may have changed. */
  configWritten(offset: number, size: AccessSize): void {
    const at = this.#capability;
    if (offset < at + 4 && offset + size > at + 2) this.#sendPending();
  }

  reset(): void {
    this.#words.fill(0);
    this.#pending.fill(0);
    this.#maskAll();
    this.#function?.config.set(this.#capability + 2, 2, this.vectors - 1);
  }

  #maskAll(): void {
    for (let vector = 0; vector < this.vectors; vector++)
      this.#words[vector * 4 + 3] = ENTRY_MASKED;
  }

  #writeTable(offset: number, size: AccessSize, value: number): void {
    if (offset + size > this.tableBytes) return;
    const word = offset >> 2;
    const shift = 8 * (offset & 3);
    const mask = (size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1) << shift;
    const old = this.#words[word] as number;
    const isControl = (word & 3) === 3;
    const written = (old & ~mask) | ((value << shift) & mask);
    this.#words[word] = isControl ? written & ENTRY_MASKED : written;
    if (isControl) this.#sendPending();
  }

  #isMasked(vector: number): boolean {
    if (this.#control & CONTROL_FUNCTION_MASK) return true;
    return ((this.#words[vector * 4 + 3] as number) & ENTRY_MASKED) !== 0;
  }

  #setPending(vector: number, isPending: boolean): void {
    const bit = 1 << (vector & 7);
    const byte = this.#pending[vector >> 3] as number;
    this.#pending[vector >> 3] = isPending ? byte | bit : byte & ~bit;
  }

  #sendPending(): void {
    if (!this.enabled) return;
    for (let vector = 0; vector < this.vectors; vector++) {
      if (((this.#pending[vector >> 3] as number) & (1 << (vector & 7))) === 0) continue;
      if (this.#isMasked(vector)) continue;
      this.#setPending(vector, false);
      this.#send(vector);
    }
  }

  #send(vector: number): void {
    const low = this.#words[vector * 4] as number;
    if (this.#words[vector * 4 + 1] !== 0 || low >>> 20 !== APIC_RANGE) return;
    this.#sendMsi(low, this.#words[vector * 4 + 2] as number);
  }
}

const checkShape = record({ table: bytes(0, 2 ** 20), pending: bytes(0, 2 ** 16) });
export type MsixState = Checked<typeof checkShape>;
