/** A source of random numbers. VIRTIO 1.2, section 5.4. */
import { type Persist, record, section } from '../../../state/mod.ts';
import type { VirtioDevice, VirtioDriver } from '../device.ts';
import { VIRTIO_ID } from '../spec.ts';

const PCI_CLASS_OTHER = 0xff_00_00;
const QUEUE_SIZE = 8;
/** Bytes given to one request at most; a driver that wants more asks again. */
const PIECE_BYTES = 4096;

export interface VirtioRngOptions {
  /** unique in its machine, e.g. `virtio-rng-0` */
  readonly name: string;
  /** fills an array with numbers that nobody can guess */
  readonly fillRandom: (target: Uint8Array<ArrayBuffer>) => void;
}

export class VirtioRng implements VirtioDevice {
  readonly name: string;
  readonly type = VIRTIO_ID.rng;
  readonly pciClass = PCI_CLASS_OTHER;
  readonly features = 0n;
  readonly queueSizes = [QUEUE_SIZE];
  readonly persist: Persist<Record<never, never>>;
  readonly #fillRandom: (target: Uint8Array<ArrayBuffer>) => void;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #driver: VirtioDriver | undefined;

  constructor(options: VirtioRngOptions) {
    this.name = options.name;
    this.#fillRandom = options.fillRandom;
    this.persist = section({
      name: this.name,
      version: 1,
      check: record({}),
      save: () => ({}),
      load: () => {},
    });
  }

  readConfig(): number {
    return 0;
  }

  activate(driver: VirtioDriver): void {
    this.#driver = driver;
  }

  notify(index: number): void {
    const queue = this.#driver?.queues[index];
    if (queue === undefined) return;
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      const piece = this.#piece.subarray(0, Math.min(PIECE_BYTES, chain.writable));
      this.#fillRandom(piece);
      queue.complete(chain, chain.write(0, piece));
    }
    this.#piece.fill(0);
    queue.signal();
  }

  reset(): void {
    this.#driver = undefined;
  }
}
