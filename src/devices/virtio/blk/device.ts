/**
 * A disk. VIRTIO 1.2, section 5.2. Requests are served in order the moment they are told of, so
 * nothing is in flight between two instructions of the guest.
 * Left out: secure erase, zones, life-time information, switching the write cache, geometry.
 */
import type { AccessSize, BlockBackend } from '../../../bus/mod.ts';
import { type Persist, record, section } from '../../../state/mod.ts';
import type { BlockCounters } from '../../block-counters.ts';
import { readStructure, type VirtioDevice, type VirtioDriver } from '../device.ts';
import { VIRTIO_ID } from '../spec.ts';
import { blockConfig } from './config.ts';
import { BlockRequests } from './request.ts';
import {
  QUEUE_SIZE,
  VIRTIO_BLK_F_BLK_SIZE,
  VIRTIO_BLK_F_DISCARD,
  VIRTIO_BLK_F_FLUSH,
  VIRTIO_BLK_F_MQ,
  VIRTIO_BLK_F_RO,
  VIRTIO_BLK_F_SEG_MAX,
  VIRTIO_BLK_F_TOPOLOGY,
  VIRTIO_BLK_F_WRITE_ZEROES,
} from './spec.ts';

const PCI_CLASS_SCSI = 0x01_00_00;

export interface VirtioBlkOptions {
  /** unique in its machine, e.g. `virtio-blk-0` */
  readonly name: string;
  readonly backend: BlockBackend;
  /** what the guest sees as the disk's identity, up to 20 bytes */
  readonly serial: string;
  /** one a vCPU is best; 1 by default */
  readonly queues?: number;
}

export class VirtioBlk implements VirtioDevice {
  readonly name: string;
  readonly type = VIRTIO_ID.block;
  readonly pciClass = PCI_CLASS_SCSI;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly persist: Persist<Record<never, never>>;
  readonly #requests: BlockRequests;
  readonly #config: Uint8Array;
  #driver: VirtioDriver | undefined;

  constructor(options: VirtioBlkOptions) {
    const { backend } = options;
    const queues = options.queues ?? 1;
    this.name = options.name;
    this.#requests = new BlockRequests(backend, options.serial);
    this.#config = blockConfig(backend, queues);
    this.queueSizes = new Array<number>(queues).fill(QUEUE_SIZE);
    this.features =
      VIRTIO_BLK_F_SEG_MAX |
      VIRTIO_BLK_F_BLK_SIZE |
      VIRTIO_BLK_F_FLUSH |
      VIRTIO_BLK_F_TOPOLOGY |
      (queues > 1 ? VIRTIO_BLK_F_MQ : 0n) |
      (backend.isReadOnly ? VIRTIO_BLK_F_RO : VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES);
    this.persist = section({
      name: this.name,
      version: 1,
      // Nothing is in flight, and the contents are the image's business.
      check: record({}),
      save: () => ({}),
      load: () => {},
    });
  }

  get counters(): Readonly<BlockCounters> {
    return this.#requests.counters;
  }

  readConfig(offset: number, size: AccessSize): number {
    return readStructure(this.#config, offset, size);
  }

  activate(driver: VirtioDriver): void {
    this.#driver = driver;
  }

  notify(index: number): void {
    const driver = this.#driver;
    const queue = driver?.queues[index];
    if (driver === undefined || queue === undefined) return;
    const writeThrough = (driver.features & VIRTIO_BLK_F_FLUSH) === 0n;
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      const written = this.#requests.serve(chain, writeThrough);
      if (written === undefined) {
        driver.broken('a request without header or status');
        return;
      }
      queue.complete(chain, written);
    }
    queue.signal();
  }

  reset(): void {
    this.#driver = undefined;
  }
}
