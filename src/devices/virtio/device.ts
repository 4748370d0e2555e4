/** What a virtio device is to its transport, and its driver to the device. */
import type { AccessSize } from '../../bus/mod.ts';
import type { Persistent } from '../../state/mod.ts';
import type { Virtqueue } from './queue/virtqueue.ts';

/** The driver at the other end, from the moment that it is ready until the device is reset. */
export interface VirtioDriver {
  /** features that both sides agreed on */
  readonly features: bigint;
  readonly queues: readonly Virtqueue[];
  /** Tells the driver that the device's configuration is another now. */
  configChanged(): void;
  /** The driver broke the rules: everything stands still until it resets the device. */
  broken(reason: string): void;
}

/**
 * A device of one type, blind to the bus that carries it. What needs the driver exists only between
 * `activate` and `reset`.
 */
export interface VirtioDevice extends Persistent {
  /** unique in its machine, e.g. `virtio-blk-0` */
  readonly name: string;
  /** one of `VIRTIO_ID` */
  readonly type: number;
  /** class code for PCI: 0xccssii */
  readonly pciClass: number;
  /** features of its own, besides those of the transport */
  readonly features: bigint;
  /** largest size of each queue, powers of two */
  readonly queueSizes: readonly number[];
  /** Device-specific configuration; beyond its end reads as zero. */
  readConfig(offset: number, size: AccessSize): number;
  writeConfig?(offset: number, size: AccessSize, value: number): void;
  /** The driver is ready; also after a restore. Queues are served when `notify` says so. */
  activate(driver: VirtioDriver): void;
  /** There are requests in queue `index`. */
  notify(index: number): void;
  reset(): void;
}

/** Reads `size` bytes at `offset` of a little-endian structure, zero beyond its end. */
export function readStructure(bytes: Uint8Array, offset: number, size: AccessSize): number {
  let value = 0;
  for (let byte = 0; byte < size; byte++) value |= (bytes[offset + byte] ?? 0) << (8 * byte);
  return value >>> 0;
}
