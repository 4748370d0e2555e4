/**
 * A balloon, by which a guest gives memory back. VIRTIO 1.2, section 5.5. Pages come back in two ways:
 * the host asks for some (the balloon inflates), or the guest tells which pages it does not use (free
 * page reporting). Either way their frames return to the pool, and read as zero when they are used again.
 * Left out: free page hints and page poisoning.
 */
import type { AccessSize } from '../../../bus/mod.ts';
import type { GuestMemory } from '../../../memory/mod.ts';
import { boolean, type Checked, type Persist, record, section, u32 } from '../../../state/mod.ts';
import { readStructure, type VirtioDevice, type VirtioDriver } from '../device.ts';
import type { DescriptorChain } from '../queue/chain.ts';
import type { Virtqueue } from '../queue/virtqueue.ts';
import { VIRTIO_ID } from '../spec.ts';
import {
  BALLOON_PAGE_BYTES,
  CONFIG_ACTUAL,
  CONFIG_TARGET,
  STAT_BYTES,
  STAT_NAMES,
  VIRTIO_BALLOON_F_DEFLATE_ON_OOM,
  VIRTIO_BALLOON_F_MUST_TELL_HOST,
  VIRTIO_BALLOON_F_REPORTING,
  VIRTIO_BALLOON_F_STATS_VQ,
} from './spec.ts';

const PCI_CLASS_OTHER = 0xff_00_00;
const QUEUE_SIZE = 128;
const INFLATE = 0;
const DEFLATE = 1;
const CONFIG_BYTES = 16;
/** Page numbers in one request that are looked at. */
const MAX_PAGE_NUMBERS = 4096;

const checkState = record({
  target: u32,
  actual: u32,
  /** a request for statistics is with the device */
  holdsStatistics: boolean,
});
export type VirtioBalloonState = Checked<typeof checkState>;

export interface VirtioBalloonOptions {
  /** unique in its machine, e.g. `virtio-balloon-0` */
  readonly name: string;
  readonly memory: GuestMemory;
}

export class VirtioBalloon implements VirtioDevice {
  readonly name: string;
  readonly type = VIRTIO_ID.balloon;
  readonly pciClass = PCI_CLASS_OTHER;
  readonly features =
    VIRTIO_BALLOON_F_MUST_TELL_HOST |
    VIRTIO_BALLOON_F_STATS_VQ |
    VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
    VIRTIO_BALLOON_F_REPORTING;
  readonly queueSizes = [QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE];
  readonly persist: Persist<VirtioBalloonState>;
  /** pages that came back so far, in either way */
  readonly counters = { inflated: 0, deflated: 0, reported: 0 };
  readonly #memory: GuestMemory;
  #driver: VirtioDriver | undefined;
  #target = 0;
  #actual = 0;
  #statistics: Readonly<Record<string, number>> = {};
  /** the request that the driver's statistics came with: it goes back when new ones are wanted */
  #statisticsChain: DescriptorChain | undefined;
  /** it was with the device when that was saved */
  #heldBefore = false;

  constructor(options: VirtioBalloonOptions) {
    this.name = options.name;
    this.#memory = options.memory;
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({
        target: this.#target,
        actual: this.#actual,
        holdsStatistics: this.#heldBefore || this.#statisticsChain !== undefined,
      }),
      load: (state) => {
        this.#target = state.target;
        this.#actual = state.actual;
        this.#heldBefore = state.holdsStatistics;
        this.#statisticsChain = undefined;
      },
    });
  }

  /** Pages of 4 KiB that the balloon holds now, as the guest says. */
  get actualPages(): number {
    return this.#actual;
  }

  /** What the guest told of its memory last, in bytes and counts. */
  get statistics(): Readonly<Record<string, number>> {
    return this.#statistics;
  }

  /** Asks the guest to let the balloon hold so many pages of 4 KiB. */
  setTarget(pages: number): void {
    this.#target = pages;
    this.#driver?.configChanged();
  }

  /** Asks the guest for new statistics. */
  requestStatistics(): void {
    const queue = this.#queueOf(VIRTIO_BALLOON_F_STATS_VQ);
    if (queue === undefined) return;
    if (this.#heldBefore) {
      this.#heldBefore = false;
      queue.putBack(1);
      this.#statisticsChain = queue.next();
    }
    if (this.#statisticsChain === undefined) return;
    queue.complete(this.#statisticsChain, 0);
    this.#statisticsChain = undefined;
    queue.signal();
  }

  readConfig(offset: number, size: AccessSize): number {
    const config = new DataView(new ArrayBuffer(CONFIG_BYTES));
    config.setUint32(CONFIG_TARGET, this.#target, true);
    config.setUint32(CONFIG_ACTUAL, this.#actual, true);
    return readStructure(new Uint8Array(config.buffer), offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    if (offset === CONFIG_ACTUAL && size === 4) this.#actual = value;
  }

  activate(driver: VirtioDriver): void {
    this.#driver = driver;
  }

  notify(index: number): void {
    const queue = this.#driver?.queues[index];
    if (queue === undefined) return;
    const isStatistics = queue === this.#queueOf(VIRTIO_BALLOON_F_STATS_VQ);
    const isReporting = queue === this.#queueOf(VIRTIO_BALLOON_F_REPORTING);
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      if (isStatistics) {
        this.#takeStatistics(chain);
        continue;
      }
      if (isReporting) this.#takeReport(chain);
      else if (index === INFLATE) this.counters.inflated += this.#inflate(chain);
      else if (index === DEFLATE) this.counters.deflated += Math.floor(chain.readable / 4);
      queue.complete(chain, 0);
    }
    queue.signal();
  }

  reset(): void {
    this.#driver = undefined;
    this.#actual = 0;
    this.#statistics = {};
    this.#statisticsChain = undefined;
    this.#heldBefore = false;
  }

  /** The queue of a feature: those of features that were not agreed on are not there. */
  #queueOf(feature: bigint): Virtqueue | undefined {
    const driver = this.#driver;
    if (driver === undefined || (driver.features & feature) === 0n) return undefined;
    const hasStatistics = (driver.features & VIRTIO_BALLOON_F_STATS_VQ) !== 0n;
    const index = feature === VIRTIO_BALLOON_F_REPORTING && hasStatistics ? 3 : 2;
    return driver.queues[index];
  }

  /** Pages that the guest gave, by their numbers of 4 bytes. Returns how many came back. */
  #inflate(chain: DescriptorChain): number {
    const bytes = new Uint8Array(Math.min(chain.readable, MAX_PAGE_NUMBERS * 4));
    const count = Math.floor(chain.read(0, bytes) / 4);
    const numbers = new DataView(bytes.buffer);
    let released = 0;
    for (let index = 0; index < count; index++) {
      const gpa = numbers.getUint32(index * 4, true) * BALLOON_PAGE_BYTES;
      released += this.#memory.release(gpa, BALLOON_PAGE_BYTES);
    }
    this.#memory.settleReleases();
    return released;
  }

  /** Pages that the guest does not use: the writable buffers are the pages themselves. */
  #takeReport(chain: DescriptorChain): void {
    for (const { gpa, bytes } of chain.writableBuffers.pieces) {
      this.counters.reported += this.#memory.release(gpa, bytes);
    }
    this.#memory.settleReleases();
  }

  #takeStatistics(chain: DescriptorChain): void {
    const bytes = new Uint8Array(Math.min(chain.readable, STAT_BYTES * 64));
    chain.read(0, bytes);
    const view = new DataView(bytes.buffer);
    const statistics: Record<string, number> = {};
    for (let at = 0; at + STAT_BYTES <= bytes.length; at += STAT_BYTES) {
      const name = STAT_NAMES[view.getUint16(at, true)];
      if (name !== undefined) statistics[name] = Number(view.getBigUint64(at + 2, true));
    }
    this.#statistics = statistics;
    this.#statisticsChain = chain;
  }
}
