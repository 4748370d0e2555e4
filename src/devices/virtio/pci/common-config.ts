/**
 * The common configuration structure: feature negotiation, device status and queue set-up.
 * VIRTIO 1.2, sections 3.1 and 4.1.4.3.
 */
import type { AccessSize, RegisterBank } from '../../../bus/mod.ts';
import { type Checked, list, record, u8, u16, u32, u64 } from '../../../state/mod.ts';
import { checkVirtqueue, type Virtqueue } from '../queue/virtqueue.ts';
import {
  STATUS_DRIVER_OK,
  STATUS_FEATURES_OK,
  STATUS_NEEDS_RESET,
  VIRTIO_F_VERSION_1,
} from '../spec.ts';
import { COMMON, COMMON_FIELD_BYTES, NO_VECTOR } from './registers.ts';

/** What the structure needs of the transport. */
export interface CommonConfigOwner {
  readonly offered: bigint;
  readonly queues: readonly Virtqueue[];
  readonly vectors: number;
  /** DRIVER_OK was set. */
  driverReady(): void;
  /** Zero was written to the status. */
  resetRequested(): void;
}

export function checkCommonConfig(queueCount: number) {
  return record({
    deviceFeatureSelect: u32,
    driverFeatureSelect: u32,
    driverFeatures: u64,
    configVector: u16,
    status: u8,
    generation: u8,
    queueSelect: u16,
    queues: list(checkVirtqueue, queueCount),
  });
}
export type CommonConfigState = Checked<ReturnType<typeof checkCommonConfig>>;

export class CommonConfig {
  readonly registers: RegisterBank;
  readonly #owner: CommonConfigOwner;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;
  #driverFeatures = 0n;
  #queueSelect = 0;
  configVector = NO_VECTOR;
  status = 0;
  /** counts changes of the device's configuration */
  generation = 0;

  constructor(owner: CommonConfigOwner) {
    this.#owner = owner;
    this.registers = {
      read: (offset, size) => this.#readAny(offset, size),
      write: (offset, size, value) => {
        if (COMMON_FIELD_BYTES.get(offset) === size) this.#write(offset, value);
      },
    };
  }

  get driverFeatures(): bigint {
    return this.#driverFeatures;
  }

  reset(): void {
    this.#deviceFeatureSelect = 0;
    this.#driverFeatureSelect = 0;
    this.#driverFeatures = 0n;
    this.#queueSelect = 0;
    this.configVector = NO_VECTOR;
    this.status = 0;
    for (const queue of this.#owner.queues) queue.reset();
  }

  save(): CommonConfigState {
    return {
      deviceFeatureSelect: this.#deviceFeatureSelect,
      driverFeatureSelect: this.#driverFeatureSelect,
      driverFeatures: this.#driverFeatures,
      configVector: this.configVector,
      status: this.status,
      generation: this.generation,
      queueSelect: this.#queueSelect,
      queues: this.#owner.queues.map((queue) => queue.save()),
    };
  }

  load(state: CommonConfigState): void {
    this.#deviceFeatureSelect = state.deviceFeatureSelect;
    this.#driverFeatureSelect = state.driverFeatureSelect;
    this.#driverFeatures = state.driverFeatures;
    this.configVector = state.configVector;
    this.status = state.status;
    this.generation = state.generation;
    this.#queueSelect = state.queueSelect;
    for (const [index, queue] of state.queues.entries()) this.#owner.queues[index]?.load(queue);
  }

  /** A read of any width within one field; of more than one, what the first of them holds. */
  #readAny(offset: number, size: AccessSize): number {
    let start = offset;
    while (start > 0 && !COMMON_FIELD_BYTES.has(start)) start--;
    const value = this.#read(start) >>> (8 * (offset - start));
    return size === 4 ? value : (value & (2 ** (8 * size) - 1)) >>> 0;
  }

  #read(field: number): number {
    const queue = this.#owner.queues[this.#queueSelect];
    switch (field) {
      case COMMON.deviceFeatureSelect:
        return this.#deviceFeatureSelect;
      case COMMON.deviceFeature:
        return half(this.#owner.offered, this.#deviceFeatureSelect);
      case COMMON.driverFeatureSelect:
        return this.#driverFeatureSelect;
      case COMMON.driverFeature:
        return half(this.#driverFeatures, this.#driverFeatureSelect);
      case COMMON.configVector:
        return this.configVector;
      case COMMON.queueCount:
        return this.#owner.queues.length;
      case COMMON.status:
        return this.status;
      case COMMON.configGeneration:
        return this.generation;
      case COMMON.queueSelect:
        return this.#queueSelect;
      case COMMON.queueSize:
        return queue?.size ?? 0;
      case COMMON.queueVector:
        return queue?.vector ?? NO_VECTOR;
      case COMMON.queueEnable:
        return queue?.enabled ? 1 : 0;
      case COMMON.queueNotifyOffset:
        return queue?.index ?? 0;
      case COMMON.descriptorsLow:
        return low(queue?.descriptors);
      case COMMON.descriptorsHigh:
        return high(queue?.descriptors);
      case COMMON.driverLow:
        return low(queue?.driver);
      case COMMON.driverHigh:
        return high(queue?.driver);
      case COMMON.deviceLow:
        return low(queue?.device);
      case COMMON.deviceHigh:
        return high(queue?.device);
      default:
        return 0;
    }
  }

  #write(field: number, value: number): void {
    switch (field) {
      case COMMON.deviceFeatureSelect:
        this.#deviceFeatureSelect = value;
        return;
      case COMMON.driverFeatureSelect:
        this.#driverFeatureSelect = value;
        return;
      case COMMON.driverFeature:
        this.#writeDriverFeature(value);
        return;
      case COMMON.configVector:
        this.configVector = this.#vector(value);
        return;
      case COMMON.status:
        this.#writeStatus(value);
        return;
      case COMMON.queueSelect:
        this.#queueSelect = value;
        return;
      default:
        this.#writeQueue(field, value);
    }
  }

  #writeQueue(field: number, value: number): void {
    const queue = this.#owner.queues[this.#queueSelect];
    if (queue === undefined) return;
    if (field === COMMON.queueVector) {
      queue.vector = this.#vector(value);
      return;
    }
    if (queue.enabled) return; // its layout is settled until reset
    switch (field) {
      case COMMON.queueSize:
        queue.size = Math.min(value, queue.maxSize);
        return;
      case COMMON.queueEnable:
        if (value === 1) queue.enabled = true;
        return;
      case COMMON.descriptorsLow:
        queue.descriptors = withLow(queue.descriptors, value);
        return;
      case COMMON.descriptorsHigh:
        queue.descriptors = withHigh(queue.descriptors, value);
        return;
      case COMMON.driverLow:
        queue.driver = withLow(queue.driver, value);
        return;
      case COMMON.driverHigh:
        queue.driver = withHigh(queue.driver, value);
        return;
      case COMMON.deviceLow:
        queue.device = withLow(queue.device, value);
        return;
      case COMMON.deviceHigh:
        queue.device = withHigh(queue.device, value);
        return;
    }
  }

  #writeDriverFeature(value: number): void {
    if (this.status & STATUS_FEATURES_OK || this.#driverFeatureSelect > 1) return;
    const shift = BigInt(32 * this.#driverFeatureSelect);
    const kept = this.#driverFeatures & ~(0xffff_ffffn << shift);
    this.#driverFeatures = kept | (BigInt(value) << shift);
  }

  /** Bits are only ever added; zero resets; features are accepted or refused as a whole. */
  #writeStatus(value: number): void {
    if (value === 0) {
      this.#owner.resetRequested();
      return;
    }
    let added = value & ~this.status & ~STATUS_NEEDS_RESET;
    if (added & STATUS_FEATURES_OK && !this.#featuresAcceptable) added &= ~STATUS_FEATURES_OK;
    if (added & STATUS_DRIVER_OK && !((this.status | added) & STATUS_FEATURES_OK)) {
      added &= ~STATUS_DRIVER_OK;
    }
    this.status |= added;
    if (added & STATUS_DRIVER_OK) this.#owner.driverReady();
  }

  get #featuresAcceptable(): boolean {
    const asked = this.#driverFeatures;
    return (asked & ~this.#owner.offered) === 0n && (asked & VIRTIO_F_VERSION_1) !== 0n;
  }

  #vector(value: number): number {
    return value < this.#owner.vectors ? value : NO_VECTOR;
  }
}

function half(features: bigint, select: number): number {
  return select > 1 ? 0 : Number((features >> BigInt(32 * select)) & 0xffff_ffffn);
}

// Addresses of 2^53 and more cannot be RAM; they keep their low bits and stay out of reach.
const HIGH_LIMIT = 2 ** 21 - 1;
function low(address = 0): number {
  return address % 2 ** 32;
}
function high(address = 0): number {
  return Math.floor(address / 2 ** 32);
}
function withLow(address: number, value: number): number {
  return high(address) * 2 ** 32 + value;
}
function withHigh(address: number, value: number): number {
  return Math.min(value, HIGH_LIMIT) * 2 ** 32 + low(address);
}
