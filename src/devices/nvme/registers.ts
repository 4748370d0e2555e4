/**
 * The controller's registers: capabilities, configuration, status and the admin queues' places.
 * NVM Express 1.4, section 3.1.
 */
import type { AccessSize, RegisterBank } from '../../bus/mod.ts';
import { type Checked, record, u32 } from '../../state/mod.ts';
import { partOfWord } from '../byte-bank.ts';
import {
  CAP_HIGH,
  CAP_LOW,
  CC_CHOICES,
  CC_ENABLE,
  CC_SHUTDOWN,
  CC_WRITABLE,
  CSTS_FATAL,
  CSTS_READY,
  CSTS_SHUTDOWN_DONE,
  REGISTER,
  VERSION_1_4,
} from './spec.ts';

export const checkRegisters = record({
  configuration: u32,
  status: u32,
  adminQueueAttributes: u32,
  adminSqLow: u32,
  adminSqHigh: u32,
  adminCqLow: u32,
  adminCqHigh: u32,
});
export type RegistersState = Checked<typeof checkRegisters>;

/** Place and size of a queue. */
export interface QueuePlace {
  readonly base: number;
  readonly entries: number;
}

export interface RegistersOwner {
  /** The driver enables the controller; false when its queues cannot be there. */
  enable(adminSq: QueuePlace, adminCq: QueuePlace): boolean;
  disable(): void;
  /** The driver is about to switch off: makes what it wrote durable; false when that failed. */
  shutDown(): boolean;
  interruptMask(): number;
  setInterruptMask(mask: number): void;
}

const powerOn: RegistersState = {
  configuration: 0,
  status: 0,
  adminQueueAttributes: 0,
  adminSqLow: 0,
  adminSqHigh: 0,
  adminCqLow: 0,
  adminCqHigh: 0,
};

export class ControllerRegisters {
  readonly bank: RegisterBank;
  readonly #owner: RegistersOwner;
  #state = { ...powerOn };

  constructor(owner: RegistersOwner) {
    this.#owner = owner;
    this.bank = {
      read: (offset, size) => partOfWord(this.#read(offset & ~3), offset, size),
      write: (offset, size, value) => this.#writeAny(offset, size, value),
    };
  }

  get isReady(): boolean {
    return (this.#state.status & CSTS_READY) !== 0;
  }

  reset(): void {
    this.#state = { ...powerOn };
  }

  save(): RegistersState {
    return { ...this.#state };
  }

  load(state: RegistersState): void {
    this.#state = { ...state };
  }

  #read(register: number): number {
    const state = this.#state;
    switch (register) {
      case REGISTER.capLow:
        return CAP_LOW;
      case REGISTER.capHigh:
        return CAP_HIGH;
      case REGISTER.version:
        return VERSION_1_4;
      case REGISTER.maskSet:
      case REGISTER.maskClear:
        return this.#owner.interruptMask();
      case REGISTER.configuration:
        return state.configuration;
      case REGISTER.status:
        return state.status;
      case REGISTER.adminQueueAttributes:
        return state.adminQueueAttributes;
      case REGISTER.adminSqLow:
        return state.adminSqLow;
      case REGISTER.adminSqHigh:
        return state.adminSqHigh;
      case REGISTER.adminCqLow:
        return state.adminCqLow;
      case REGISTER.adminCqHigh:
        return state.adminCqHigh;
      default:
        return 0;
    }
  }

  /** The specification asks for whole registers; narrower writes keep the rest. */
  #writeAny(offset: number, size: AccessSize, value: number): void {
    const register = offset & ~3;
    if (offset % size !== 0) return;
    if (size === 4) {
      this.#write(register, value);
      return;
    }
    const shift = 8 * (offset & 3);
    const mask = (2 ** (8 * size) - 1) << shift;
    this.#write(register, ((this.#read(register) & ~mask) | (value << shift)) >>> 0);
  }

  #write(register: number, value: number): void {
    const state = this.#state;
    const owner = this.#owner;
    switch (register) {
      case REGISTER.maskSet:
        owner.setInterruptMask((owner.interruptMask() | value) >>> 0);
        return;
      case REGISTER.maskClear:
        owner.setInterruptMask((owner.interruptMask() & ~value) >>> 0);
        return;
      case REGISTER.configuration:
        this.#configure((value & CC_WRITABLE) >>> 0);
        return;
      case REGISTER.adminQueueAttributes:
        state.adminQueueAttributes = (value & 0x0fff_0fff) >>> 0;
        return;
      case REGISTER.adminSqLow:
        state.adminSqLow = (value & ~0xfff) >>> 0;
        return;
      case REGISTER.adminSqHigh:
        state.adminSqHigh = value;
        return;
      case REGISTER.adminCqLow:
        state.adminCqLow = (value & ~0xfff) >>> 0;
        return;
      case REGISTER.adminCqHigh:
        state.adminCqHigh = value;
        return;
    }
  }

  #configure(value: number): void {
    const state = this.#state;
    const before = state.configuration;
    state.configuration = value;
    if ((value & CC_ENABLE) !== 0 && (before & CC_ENABLE) === 0) this.#enable();
    if ((value & CC_ENABLE) === 0 && (before & CC_ENABLE) !== 0) {
      this.#owner.disable();
      state.status = 0;
    }
    if ((value & CC_SHUTDOWN) !== 0 && (before & CC_SHUTDOWN) === 0) {
      const isDurable = this.#owner.shutDown();
      state.status |= isDurable ? CSTS_SHUTDOWN_DONE : CSTS_SHUTDOWN_DONE | CSTS_FATAL;
    }
  }

  #enable(): void {
    const state = this.#state;
    const attributes = state.adminQueueAttributes;
    const isSupported = (state.configuration & CC_CHOICES) === 0;
    const isEnabled =
      isSupported &&
      this.#owner.enable(
        {
          base: state.adminSqLow + state.adminSqHigh * 2 ** 32,
          entries: (attributes & 0xfff) + 1,
        },
        {
          base: state.adminCqLow + state.adminCqHigh * 2 ** 32,
          entries: ((attributes >>> 16) & 0xfff) + 1,
        },
      );
    state.status = isEnabled ? CSTS_READY : CSTS_FATAL;
  }
}
