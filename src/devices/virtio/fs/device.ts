/**
 * A shared folder of the host. VIRTIO 1.2, section 5.11. The device carries FUSE messages to a file server and knows
 * nothing of what they say. Answers that take long come while the guest goes on.
 * Left out: notifications to the guest, the DAX window.
 */
import { type AccessSize, type FileServer, MAX_FILE_MESSAGE_BYTES } from '../../../bus/mod.ts';
import { type Persist, section } from '../../../state/mod.ts';
import { readStructure, type VirtioDevice, type VirtioDriver } from '../device.ts';
import type { DescriptorChain } from '../queue/chain.ts';
import type { Virtqueue } from '../queue/virtqueue.ts';
import { VIRTIO_ID } from '../spec.ts';
import {
  CONFIG_BYTES,
  FUSE_IN_HEADER_BYTES,
  HIGH_PRIORITY_QUEUE_SIZE,
  REQUEST_QUEUE_SIZE,
  TAG_BYTES,
} from './spec.ts';

const PCI_CLASS_OTHER = 0x01_80_00;

export interface VirtioFsOptions {
  /** unique in its machine, e.g. `virtio-fs-0` */
  readonly name: string;
  /** by which the guest mounts it, up to 36 bytes */
  readonly tag: string;
  readonly server: FileServer;
}

export interface FsCounters {
  requests: number;
  bytesToServer: number;
  bytesToGuest: number;
}

export class VirtioFs implements VirtioDevice {
  readonly name: string;
  readonly type = VIRTIO_ID.fs;
  readonly pciClass = PCI_CLASS_OTHER;
  readonly features = 0n;
  readonly queueSizes = [HIGH_PRIORITY_QUEUE_SIZE, REQUEST_QUEUE_SIZE];
  readonly persist: Persist<unknown>;
  readonly counters: FsCounters = { requests: 0, bytesToServer: 0, bytesToGuest: 0 };
  readonly #server: FileServer;
  readonly #config = new Uint8Array(CONFIG_BYTES);
  readonly #message = new Uint8Array(MAX_FILE_MESSAGE_BYTES);
  #driver: VirtioDriver | undefined;

  constructor(options: VirtioFsOptions) {
    this.name = options.name;
    this.#server = options.server;
    this.#config.set(new TextEncoder().encode(options.tag).subarray(0, TAG_BYTES));
    this.#config[TAG_BYTES] = 1;
    const { persist } = this.#server;
    this.persist = section<unknown>({
      name: this.name,
      version: 1,
      check: (state) => state,
      save: () => {
        // What is answered now is in the guest's memory before that is saved.
        this.#server.settle();
        return persist.save();
      },
      load: (state) => persist.restore(state),
    });
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
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      const { readable } = chain;
      if (readable < FUSE_IN_HEADER_BYTES || readable > MAX_FILE_MESSAGE_BYTES) {
        driver.broken('a file system request of an impossible length');
        return;
      }
      this.#serve(driver, queue, chain);
      if (this.#driver !== driver) return;
    }
    queue.signal();
  }

  /** Takes in what the server has finished meanwhile. True when there was something. */
  poll(): boolean {
    return this.#server.poll();
  }

  reset(): void {
    if (this.#driver === undefined) return;
    this.#driver = undefined;
    this.#server.settle();
    this.#server.reset();
  }

  #serve(driver: VirtioDriver, queue: Virtqueue, chain: DescriptorChain): void {
    const message = this.#message.subarray(0, chain.readable);
    chain.read(0, message);
    this.counters.requests++;
    this.counters.bytesToServer += message.length;
    let isLate = false;
    this.#server.handle(message, chain.writable, (answer) => {
      if (this.#driver !== driver) return; // the one who asked is gone
      this.counters.bytesToGuest += answer.length;
      queue.complete(chain, chain.write(0, answer));
      if (isLate) queue.signal();
    });
    isLate = true;
  }
}
