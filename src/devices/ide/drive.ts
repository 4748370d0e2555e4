/**
 * What ATA disks and ATAPI drives share: the task file, the buffer behind the data register, and the
 * steps of a command. ATA/ATAPI-6, chapter 9 "Protocol".
 *
 * A transfer is a row of blocks. The drive fills the buffer (`sendBlock`) or waits for one
 * (`takeBlock`), and hears when a block has passed the data register (`blockSent`, `blockTaken`). A DMA
 * command moves the same blocks with `dma` set, and the bus master drives them.
 */
import {
  boolean,
  bytes,
  type Checked,
  list,
  oneOf,
  optional,
  record,
  refine,
  u8,
  u16,
  u32,
} from '../../state/mod.ts';
import { ERROR, STATUS } from './spec.ts';

/** Largest block on its way through the data register. */
export const BUFFER_BYTES = 128 * 1024;

const checkShape = record({
  /** features, count, LBA low, mid, high: last value written and the one before */
  task: list(u16, 5),
  device: u8,
  status: u8,
  error: u8,
  command: u8,
  direction: optional(oneOf('in', 'out')),
  dma: boolean,
  interrupt: boolean,
  buffer: bytes(0, BUFFER_BYTES),
  position: u32,
});
export const checkDriveState = refine(
  checkShape,
  ({ buffer, position, direction }) =>
    direction === undefined ? buffer.length === 0 && position === 0 : position < buffer.length,
  'a transfer within its buffer',
);
export type DriveState = Checked<typeof checkDriveState>;

/** Index into the task file; each entry holds the previous byte in bits 15:8. */
export const TASK = { features: 0, count: 1, lbaLow: 2, lbaMid: 3, lbaHigh: 4 } as const;

export abstract class IdeDrive {
  readonly task = new Uint16Array(5);
  device = 0;
  status: number = STATUS.DRDY | STATUS.DSC;
  error = 1;
  protected command = 0;
  /** the drive asks for an interrupt */
  interruptPending = false;
  /** a DMA command waits for the bus master */
  isDma = false;
  #direction: 'in' | 'out' | undefined;
  #buffer = new Uint8Array(0);
  #position = 0;
  /** set by the channel */
  onInterrupt: () => void = () => {};
  /** set by the channel: a DMA command has data to move */
  onDmaReady: () => void = () => {};

  /** Two bytes in `lbaMid`, `lbaHigh` by which hosts tell kinds of drives. */
  protected abstract readonly signature: readonly [mid: number, high: number];
  /** Starts a command; the task file holds its parameters. */
  protected abstract execute(command: number): void;
  /** A block of `sendBlock` is gone. */
  protected abstract blockSent(): void;
  /** A block that `takeBlock` asked for is here. */
  protected abstract blockTaken(block: Uint8Array): void;
  protected abstract resetDrive(): void;

  /** Power-on, software reset, DEVICE RESET. */
  reset(): void {
    this.endTransfer();
    this.command = 0;
    this.task.set([0, 1, 1, this.signature[0], this.signature[1]]);
    this.device = 0;
    this.error = 1; // diagnostic code: no fault
    this.status = this.signature[1] === 0 ? STATUS.DRDY | STATUS.DSC : 0;
    this.interruptPending = false;
    this.resetDrive();
  }

  writeTask(index: number, value: number): void {
    this.task[index] = (((this.task[index] as number) << 8) | value) & 0xffff;
  }

  start(command: number): void {
    this.endTransfer();
    this.command = command;
    this.error = 0;
    this.status = STATUS.DRDY | STATUS.DSC;
    this.execute(command);
  }

  get direction(): 'in' | 'out' | undefined {
    return this.#direction;
  }

  /** The data register is read. */
  readData(size: number): number {
    if (this.#direction !== 'in' || this.isDma) return 0;
    let value = 0;
    for (let byte = 0; byte < size; byte++) {
      value |= (this.#buffer[this.#position + byte] ?? 0) << (8 * byte);
    }
    this.#advance(size);
    return value >>> 0;
  }

  writeData(size: number, value: number): void {
    if (this.#direction !== 'out' || this.isDma) return;
    for (let byte = 0; byte < size; byte++) {
      if (this.#position + byte < this.#buffer.length) {
        this.#buffer[this.#position + byte] = value >>> (8 * byte);
      }
    }
    this.#advance(size);
  }

  /** The bus master moves up to `target.length` bytes; returns how many there were. */
  dmaRead(target: Uint8Array): number {
    if (this.#direction !== 'in' || !this.isDma) return 0;
    const part = this.#buffer.subarray(this.#position, this.#position + target.length);
    target.set(part);
    this.#advance(part.length);
    return part.length;
  }

  /** The bus master brings bytes; returns how many were taken. */
  dmaWrite(source: Uint8Array): number {
    if (this.#direction !== 'out' || !this.isDma) return 0;
    const count = Math.min(source.length, this.#buffer.length - this.#position);
    this.#buffer.set(source.subarray(0, count), this.#position);
    this.#advance(count);
    return count;
  }

  #advance(count: number): void {
    this.#position += count;
    if (this.#position < this.#buffer.length) return;
    const direction = this.#direction;
    const block = this.#buffer;
    this.#direction = undefined;
    this.#buffer = new Uint8Array(0);
    this.#position = 0;
    this.status &= ~STATUS.DRQ;
    if (direction === 'in') this.blockSent();
    else this.blockTaken(block);
  }

  /** Offers a block to the host. */
  protected sendBlock(block: Uint8Array<ArrayBuffer>): void {
    this.#begin('in', block);
    if (!this.isDma) this.interrupt();
  }

  /** Asks the host for a block of `length` bytes. The first of a command comes without an interrupt. */
  protected takeBlock(length: number, isFirst: boolean): void {
    this.#begin('out', new Uint8Array(length));
    if (!isFirst && !this.isDma) this.interrupt();
  }

  #begin(direction: 'in' | 'out', buffer: Uint8Array<ArrayBuffer>): void {
    this.#direction = direction;
    this.#buffer = buffer;
    this.#position = 0;
    this.status = STATUS.DRDY | STATUS.DSC | STATUS.DRQ;
  }

  /** The command is over. */
  protected complete(): void {
    this.endTransfer();
    this.status = STATUS.DRDY | STATUS.DSC;
    this.interrupt();
  }

  /** The command failed; `error` is for the error register. */
  protected fail(error: number = ERROR.ABRT): void {
    this.endTransfer();
    this.error = error;
    this.status = STATUS.DRDY | STATUS.DSC | STATUS.ERR;
    this.interrupt();
  }

  protected interrupt(): void {
    this.interruptPending = true;
    this.onInterrupt();
  }

  protected endTransfer(): void {
    this.#direction = undefined;
    this.#buffer = new Uint8Array(0);
    this.#position = 0;
    this.isDma = false;
    this.status &= ~STATUS.DRQ;
  }

  protected saveDrive(): DriveState {
    return {
      task: [...this.task],
      device: this.device,
      status: this.status,
      error: this.error,
      command: this.command,
      direction: this.#direction,
      dma: this.isDma,
      interrupt: this.interruptPending,
      buffer: this.#buffer.slice(),
      position: this.#position,
    };
  }

  protected loadDrive(state: DriveState): void {
    this.task.set(state.task);
    this.device = state.device;
    this.status = state.status;
    this.error = state.error;
    this.command = state.command;
    this.#direction = state.direction;
    this.isDma = state.dma;
    this.interruptPending = state.interrupt;
    this.#buffer = state.buffer;
    this.#position = state.position;
  }
}
