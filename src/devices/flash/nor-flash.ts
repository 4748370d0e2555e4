/**
 * A NOR flash chip with Intel's command set, as firmware keeps its variables in. Intel, "Common Flash
 * Interface and Command Sets" (application note 646); JEDEC JESD68, table of the query.
 *
 * ```
 *  ff read array   70 read status   50 clear status   90 identifier   98 query
 *  10, 40 program a byte   20 d0 erase a block   e8 write to buffer   60 lock commands
 * ```
 * Reads of the array never come here: the guest reads the chip's memory directly, and the chip takes it
 * away while it answers with something else. One chip of eight bits; a program or an erasure takes no
 * time. Left out: suspending, protection registers; lock commands are taken and do nothing.
 */
import type { Device, RegisterBank } from '../../bus/mod.ts';
import {
  type Checked,
  integer,
  optional,
  type Persist,
  record,
  section,
  u8,
} from '../../state/mod.ts';
import { byteBank } from '../byte-bank.ts';

const READ_ARRAY = 0xff;
const READ_STATUS = 0x70;
const CLEAR_STATUS = 0x50;
const READ_IDENTIFIER = 0x90;
const QUERY = 0x98;
const PROGRAM = 0x40;
const PROGRAM_ALTERNATE = 0x10;
const ERASE_BLOCK = 0x20;
const WRITE_BUFFER = 0xe8;
const LOCK = 0x60;
const CONFIRM = 0xd0;

const STATUS_READY = 0x80;
const STATUS_ERASE_ERROR = 0x20;
const STATUS_PROGRAM_ERROR = 0x10;

const MANUFACTURER_INTEL = 0x89;
const DEVICE = 0x18;
/** Bytes that a write to the buffer may have. */
const BUFFER_SHIFT = 6;
const QUERY_BYTES = 0x31;

/** The memory that the guest reads: `DeviceMemory` on a board. */
export interface FlashMemory {
  readonly bytes: Uint8Array;
  changed(offset: number, count: number): void;
  /** whether reads reach it, or the chip */
  readable: boolean;
}

export interface NorFlashOptions {
  readonly name: string;
  /** holds the contents already */
  readonly memory: FlashMemory;
  /** of an erasure; a power of two */
  readonly blockBytes: number;
  /** told after bytes have changed */
  readonly onChange?: (offset: number, count: number) => void;
}

const checkState = record({
  /** what reads are answered with: the command that asked for it */
  mode: u8,
  status: u8,
  /** the command that waits for its second write */
  pending: optional(u8),
  /** of a write to the buffer: bytes still to come, or the write of their number */
  bufferLeft: integer(0, 1 << BUFFER_SHIFT),
});
export type FlashState = Checked<typeof checkState>;

export class NorFlash implements Device {
  readonly name: string;
  /** The chip where its memory is: all writes, and reads while the array is not to be seen. */
  readonly registers: RegisterBank;
  readonly persist: Persist<FlashState>;
  readonly #options: NorFlashOptions;
  readonly #query: Uint8Array;
  #mode = READ_ARRAY;
  #status = STATUS_READY;
  #pending: number | undefined;
  #bufferLeft = 0;

  constructor(options: NorFlashOptions) {
    this.name = options.name;
    this.#options = options;
    this.#query = queryTable(options.memory.bytes.length, options.blockBytes);
    this.registers = byteBank(
      (offset) => this.#read(offset),
      (offset, value) => this.#write(offset, value),
    );
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({
        mode: this.#mode,
        status: this.#status,
        pending: this.#pending,
        bufferLeft: this.#bufferLeft,
      }),
      load: (state) => {
        this.#status = state.status;
        this.#pending = state.pending;
        this.#bufferLeft = state.bufferLeft;
        this.#setMode(state.mode);
      },
    });
  }

  reset(): void {
    this.#status = STATUS_READY;
    this.#pending = undefined;
    this.#bufferLeft = 0;
    this.#setMode(READ_ARRAY);
  }

  #read(offset: number): number {
    switch (this.#mode) {
      case READ_ARRAY:
        return this.#options.memory.bytes[offset] as number;
      case READ_IDENTIFIER:
        // Manufacturer, device, and for each block that it is not locked.
        return [MANUFACTURER_INTEL, DEVICE, 0][offset & 0xff] ?? 0;
      case QUERY:
        return this.#query[offset & 0xff] ?? 0;
      default:
        return this.#status;
    }
  }

  #write(offset: number, value: number): void {
    const pending = this.#pending;
    if (pending === undefined) this.#command(value);
    else this.#continue(pending, offset, value);
  }

  #command(value: number): void {
    switch (value) {
      case READ_STATUS:
      case READ_IDENTIFIER:
      case QUERY:
        this.#setMode(value);
        break;
      case CLEAR_STATUS:
        this.#status = 0;
        this.#setMode(READ_ARRAY);
        break;
      case PROGRAM:
      case PROGRAM_ALTERNATE:
      case ERASE_BLOCK:
      case LOCK:
        this.#pending = value;
        this.#setMode(READ_STATUS);
        break;
      case WRITE_BUFFER:
        this.#pending = value;
        this.#bufferLeft = 0;
        this.#status |= STATUS_READY;
        this.#setMode(READ_STATUS);
        break;
      default:
        this.#setMode(READ_ARRAY);
    }
  }

  #continue(pending: number, offset: number, value: number): void {
    switch (pending) {
      case PROGRAM:
      case PROGRAM_ALTERNATE:
        this.#pending = undefined;
        this.#program(offset, value);
        this.#status |= STATUS_READY;
        return;
      case ERASE_BLOCK:
        this.#pending = undefined;
        if (value === CONFIRM) this.#erase(offset);
        else this.#status |= STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR;
        this.#status |= STATUS_READY;
        return;
      case WRITE_BUFFER:
        this.#continueBuffer(offset, value);
        return;
      default:
        this.#pending = undefined;
        if (value === READ_ARRAY) this.#setMode(READ_ARRAY);
    }
  }

  /** The number of bytes less one, the bytes, and a confirmation. */
  #continueBuffer(offset: number, value: number): void {
    if (this.#bufferLeft === 0) {
      if (value < 1 << BUFFER_SHIFT) {
        this.#bufferLeft = value + 1;
      } else {
        // Either the confirmation after the last byte, or a mistake.
        this.#pending = undefined;
        if (value !== CONFIRM) this.#status |= STATUS_PROGRAM_ERROR | STATUS_ERASE_ERROR;
        this.#status |= STATUS_READY;
      }
      return;
    }
    this.#program(offset, value);
    this.#bufferLeft--;
  }

  /** Programming makes zeroes of ones, never ones of zeroes. */
  #program(offset: number, value: number): void {
    const { memory, onChange } = this.#options;
    memory.bytes[offset] = (memory.bytes[offset] as number) & value;
    memory.changed(offset, 1);
    onChange?.(offset, 1);
  }

  #erase(offset: number): void {
    const { memory, blockBytes, onChange } = this.#options;
    const start = offset - (offset % blockBytes);
    memory.bytes.fill(0xff, start, start + blockBytes);
    memory.changed(start, blockBytes);
    onChange?.(start, blockBytes);
  }

  #setMode(mode: number): void {
    const { memory } = this.#options;
    const isArray = mode === READ_ARRAY;
    if (isArray !== (this.#mode === READ_ARRAY)) memory.readable = isArray;
    this.#mode = mode;
  }
}

/** What the chip tells of itself: JESD68, "CFI Query Identification String" and the tables after it. */
function queryTable(bytes: number, blockBytes: number): Uint8Array {
  const table = new Uint8Array(QUERY_BYTES);
  table.set(new TextEncoder().encode('QRY'), 0x10);
  table.set([0x01, 0x00, QUERY_BYTES, 0x00], 0x13); // Intel's extended command set
  table.set([0x45, 0x55, 0x00, 0x00, 0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00], 0x1b);
  table[0x27] = Math.ceil(Math.log2(bytes));
  table[0x2a] = BUFFER_SHIFT;
  const blocks = bytes / blockBytes - 1;
  const size = blockBytes / 256;
  table.set([1, blocks & 0xff, blocks >> 8, size & 0xff, size >> 8], 0x2c);
  return table;
}
