/**
 * One IDE channel: command and control block, drive 0 and drive 1, one interrupt.
 * ATA/ATAPI-6, chapter 7. Registers are written to both drives; the selected one answers.
 */
import type { InterruptLine, RegisterBank } from '../../bus/mod.ts';
import { type Checked, record, u8 } from '../../state/mod.ts';
import { type IdeDrive, TASK } from './drive.ts';
import { COMMAND, CONTROL, DEVICE, REGISTER, STATUS } from './spec.ts';

export const checkChannelState = record({ device: u8, control: u8 });
export type ChannelState = Checked<typeof checkChannelState>;

export interface IdeChannelOptions {
  readonly line: InterruptLine;
  readonly drives: readonly (IdeDrive | undefined)[];
  /** a DMA command of the selected drive waits */
  readonly onDmaReady?: () => void;
  /** the channel's interrupt went up */
  readonly onInterrupt?: () => void;
}

export class IdeChannel {
  /** Eight ports from 0x1f0 or 0x170. */
  readonly commandBlock: RegisterBank;
  /** The port at 0x3f6 or 0x376. */
  readonly controlBlock: RegisterBank;
  readonly #options: IdeChannelOptions;
  #device = 0;
  #control = 0;

  constructor(options: IdeChannelOptions) {
    this.#options = options;
    this.commandBlock = {
      read: (offset, size) =>
        offset === REGISTER.data ? (this.#selected?.readData(size) ?? 0) : this.#read(offset),
      write: (offset, size, value) => {
        if (offset === REGISTER.data) this.#selected?.writeData(size, value);
        else this.#write(offset, value & 0xff);
      },
    };
    this.controlBlock = {
      read: () => this.#status(),
      write: (_offset, _size, value) => this.#writeControl(value & 0xff),
    };
    for (const drive of options.drives) {
      if (drive === undefined) continue;
      drive.onInterrupt = () => {
        this.#update();
        options.onInterrupt?.();
      };
      drive.onDmaReady = () => options.onDmaReady?.();
    }
  }

  get selected(): IdeDrive | undefined {
    return this.#selected;
  }

  get #selected(): IdeDrive | undefined {
    return this.#options.drives[this.#device & DEVICE.drive1 ? 1 : 0];
  }

  reset(): void {
    this.#device = 0;
    this.#control = 0;
    for (const drive of this.#options.drives) drive?.reset();
    this.#update();
  }

  save(): ChannelState {
    return { device: this.#device, control: this.#control };
  }

  load(state: ChannelState): void {
    this.#device = state.device;
    this.#control = state.control;
    this.#update();
  }

  #read(offset: number): number {
    const drive = this.#selected;
    // Where no drive is, the other one of the channel answers, with an empty status.
    const answering = drive ?? this.#options.drives.find((other) => other !== undefined);
    if (answering === undefined) return offset === REGISTER.command ? 0 : 0xff;
    const task = (index: number): number =>
      ((answering.task[index] as number) >> (this.#control & CONTROL.HOB ? 8 : 0)) & 0xff;
    switch (offset) {
      case REGISTER.features:
        return answering.error;
      case REGISTER.count:
        return task(TASK.count);
      case REGISTER.lbaLow:
        return task(TASK.lbaLow);
      case REGISTER.lbaMid:
        return task(TASK.lbaMid);
      case REGISTER.lbaHigh:
        return task(TASK.lbaHigh);
      case REGISTER.device:
        return (answering.device & ~DEVICE.drive1) | (this.#device & DEVICE.drive1) | 0xa0;
      default: {
        const status = this.#status();
        if (drive !== undefined) {
          drive.interruptPending = false;
          this.#update();
        }
        return status;
      }
    }
  }

  #status(): number {
    return this.#selected?.status ?? 0;
  }

  #write(offset: number, value: number): void {
    this.#control &= ~CONTROL.HOB;
    const drives = this.#options.drives;
    switch (offset) {
      case REGISTER.features:
        for (const drive of drives) drive?.writeTask(TASK.features, value);
        break;
      case REGISTER.count:
      case REGISTER.lbaLow:
      case REGISTER.lbaMid:
      case REGISTER.lbaHigh:
        for (const drive of drives) drive?.writeTask(offset - REGISTER.features, value);
        break;
      case REGISTER.device:
        this.#device = value;
        for (const drive of drives) if (drive !== undefined) drive.device = value;
        this.#update();
        break;
      default:
        this.#command(value);
    }
  }

  #command(command: number): void {
    if (command === COMMAND.diagnostic) {
      for (const drive of this.#options.drives) drive?.reset();
      this.#device = 0;
      const first = this.#options.drives[0];
      if (first !== undefined) first.interruptPending = true;
      this.#update();
      return;
    }
    const drive = this.#selected;
    if (drive === undefined) return;
    if (drive.status & STATUS.BSY && command !== COMMAND.deviceReset) return;
    drive.interruptPending = false;
    this.#update();
    drive.start(command);
  }

  #writeControl(value: number): void {
    const wasReset = (this.#control & CONTROL.SRST) !== 0;
    this.#control = value;
    const isReset = (value & CONTROL.SRST) !== 0;
    if (isReset && !wasReset) {
      for (const drive of this.#options.drives) {
        drive?.reset();
        if (drive !== undefined) drive.status = STATUS.BSY;
      }
      this.#device = 0;
    } else if (!isReset && wasReset) {
      for (const drive of this.#options.drives) drive?.reset();
    }
    this.#update();
  }

  #update(): void {
    const isPending = this.#selected?.interruptPending ?? false;
    this.#options.line.set(isPending && (this.#control & CONTROL.nIEN) === 0);
  }
}
