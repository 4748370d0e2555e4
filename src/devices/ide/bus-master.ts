/**
 * Bus master of one IDE channel: moves the data of DMA commands between a drive and memory.
 * SFF-8038i "Programming Interface for Bus Master IDE Controller"; Intel 82371AB, section 5.2.
 *
 * ```
 *  0 command: 0 start, 3 to memory      2 status: 0 active, 1 error, 2 interrupt, 6:5 capable
 *  4 address of the table of regions: { address, 16 bits of length, bit 31 of the second word: last }
 * ```
 */
import type { AccessSize } from '../../bus/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import { type Checked, record, u8, u32 } from '../../state/mod.ts';
import type { IdeDrive } from './drive.ts';

export const BUS_MASTER_BYTES = 8;

const COMMAND_START = 0x01;
const COMMAND_TO_MEMORY = 0x08;
const STATUS_ACTIVE = 0x01;
const STATUS_ERROR = 0x02;
const STATUS_INTERRUPT = 0x04;
const STATUS_CAPABLE = 0x60;
/** Regions of a table that we follow; a table lies within 64 KiB. */
const MAX_REGIONS = 8192;

export const checkBusMasterState = record({ command: u8, status: u8, table: u32 });
export type BusMasterState = Checked<typeof checkBusMasterState>;

export class BusMaster {
  readonly #memory: GuestMemory;
  #command = 0;
  #status = 0;
  #table = 0;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  reset(): void {
    this.#command = 0;
    this.#status = 0;
    this.#table = 0;
  }

  save(): BusMasterState {
    return { command: this.#command, status: this.#status, table: this.#table };
  }

  load(state: BusMasterState): void {
    this.#command = state.command;
    this.#status = state.status;
    this.#table = state.table;
  }

  /** The drive's interrupt went up. */
  interrupt(): void {
    this.#status |= STATUS_INTERRUPT;
  }

  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.#byte(offset + byte) << (8 * byte);
    return value >>> 0;
  }

  #byte(offset: number): number {
    if (offset === 0) return this.#command;
    if (offset === 2) return this.#status;
    return offset >= 4 ? (this.#table >>> (8 * (offset - 4))) & 0xff : 0;
  }

  /** Returns true when the guest just started the engine. */
  write(offset: number, size: AccessSize, value: number): boolean {
    let started = false;
    for (let byte = 0; byte < size; byte++) {
      const bits = (value >>> (8 * byte)) & 0xff;
      const at = offset + byte;
      if (at === 0) {
        const rising = bits & ~this.#command & COMMAND_START;
        this.#command = bits & (COMMAND_START | COMMAND_TO_MEMORY);
        if (rising) {
          this.#status |= STATUS_ACTIVE;
          started = true;
        } else if ((bits & COMMAND_START) === 0) this.#status &= ~STATUS_ACTIVE;
      } else if (at === 2) {
        const cleared = bits & (STATUS_ERROR | STATUS_INTERRUPT);
        this.#status = (this.#status & ~cleared & ~STATUS_CAPABLE) | (bits & STATUS_CAPABLE);
      } else if (at >= 4) {
        const shift = 8 * (at - 4);
        this.#table = ((this.#table & ~(0xff << shift)) | (bits << shift)) & ~3;
        this.#table >>>= 0;
      }
    }
    return started;
  }

  /** Moves what the drive has or wants, if the guest has started the engine. */
  run(drive: IdeDrive | undefined): void {
    if ((this.#status & STATUS_ACTIVE) === 0 || drive?.direction === undefined || !drive.isDma)
      return;
    let entry = this.#table;
    for (let region = 0; region < MAX_REGIONS; region++) {
      if (!this.#memory.contains(entry, 8)) {
        this.#fail();
        return;
      }
      const address = this.#memory.read32(entry);
      const control = this.#memory.read32(entry + 4);
      const length = control & 0xfffe || 0x1_0000;
      if (!this.#move(drive, address, length)) return;
      if (control & 0x8000_0000) break;
      entry += 8;
    }
    // The table is longer than the transfer: still active. As long: idle.
    if (!drive.isDma) this.#status &= ~STATUS_ACTIVE;
  }

  /** Moves one region; false when the transfer ended before the region did. */
  #move(drive: IdeDrive, address: number, length: number): boolean {
    if (!this.#memory.contains(address, length)) {
      this.#fail();
      return false;
    }
    const toMemory = (this.#command & COMMAND_TO_MEMORY) !== 0;
    let done = 0;
    const piece = new Uint8Array(length);
    if (!toMemory) this.#memory.read(address, piece);
    while (done < length) {
      const rest = piece.subarray(done);
      const moved = toMemory ? drive.dmaRead(rest) : drive.dmaWrite(rest);
      if (moved === 0) break;
      done += moved;
    }
    if (toMemory) this.#memory.write(address, piece.subarray(0, done));
    return done === length;
  }

  #fail(): void {
    this.#status = (this.#status & ~STATUS_ACTIVE) | STATUS_ERROR;
  }
}
