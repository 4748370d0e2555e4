/**
 * A network card. VIRTIO 1.2, section 5.1. Checksums and segmentation are left to whoever is at the other end of the
 * link, as far as both sides agree. Frames wait on the link while the driver has no buffers, and in the driver's
 * queue while the link has no room: nothing is dropped.
 * Left out: legacy headers, receive filters (the link is point to point), RSS, UDP segmentation, stand-by.
 */
import {
  type AccessSize,
  type Clock,
  type FrameOffload,
  type Link,
  type LinkReceiver,
  MAX_FRAME_BYTES,
  NO_OFFLOADS,
  type Timer,
} from '../../../bus/mod.ts';
import {
  bytes,
  type Checked,
  integer,
  type Persist,
  record,
  section,
  u64,
} from '../../../state/mod.ts';
import { readStructure, type VirtioDevice, type VirtioDriver } from '../device.ts';
import type { Virtqueue } from '../queue/virtqueue.ts';
import { VIRTIO_ID } from '../spec.ts';
import { serveControl } from './control.ts';
import { readHeader } from './header.ts';
import { receiveFrame } from './receive.ts';
import {
  CONTROL_QUEUE_SIZE,
  MAX_QUEUE_PAIRS,
  RECEIVE_QUEUE_SIZE,
  TRANSMIT_QUEUE_SIZE,
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_CTRL_GUEST_OFFLOADS,
  VIRTIO_NET_F_CTRL_MAC_ADDR,
  VIRTIO_NET_F_CTRL_RX,
  VIRTIO_NET_F_CTRL_VQ,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_GUEST_TSO6,
  VIRTIO_NET_F_HOST_TSO4,
  VIRTIO_NET_F_HOST_TSO6,
  VIRTIO_NET_F_MAC,
  VIRTIO_NET_F_MQ,
  VIRTIO_NET_F_MRG_RXBUF,
  VIRTIO_NET_F_STATUS,
  VIRTIO_NET_HDR_BYTES,
  VIRTIO_NET_S_LINK_UP,
} from './spec.ts';

const PCI_CLASS_ETHERNET = 0x02_00_00;
const ETHERNET_HEADER_BYTES = 14;
/**
 * Guest time for which the driver may go without being told that frames are gone, in nanoseconds. The next frame
 * that it sends or receives lets it look by itself; meanwhile TCP gathers small writes into large frames.
 */
const TRANSMIT_NEWS_DELAY = 1_000_000;
const GUEST_OFFLOADS = VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6;

export interface VirtioNetOptions {
  /** unique in its machine, e.g. `virtio-net-0` */
  readonly name: string;
  readonly link: Link;
  /** 6 bytes, of a single station */
  readonly mac: Uint8Array;
  /** pairs of queues that the driver may use, 1 to 8; one a vCPU is best; 1 by default */
  readonly queuePairs?: number;
  /** by which the driver is told of sent frames a little later, all at once; without one, of each burst */
  readonly clock?: Clock;
}

const checkState = record({
  mac: bytes(6),
  queuePairs: integer(1, MAX_QUEUE_PAIRS),
  /** feature bits of the offloads that the driver takes now */
  guestOffloads: u64,
});
export type VirtioNetState = Checked<typeof checkState>;

export interface NetCounters {
  sentFrames: number;
  sentBytes: number;
  receivedFrames: number;
  receivedBytes: number;
  /** frames of the guest that no card could send, and frames too long for the driver's buffers */
  droppedFrames: number;
}

export class VirtioNet implements VirtioDevice, LinkReceiver {
  readonly name: string;
  readonly type = VIRTIO_ID.net;
  readonly pciClass = PCI_CLASS_ETHERNET;
  readonly features: bigint;
  readonly queueSizes: readonly number[];
  readonly persist: Persist<VirtioNetState>;
  readonly counters: NetCounters = {
    sentFrames: 0,
    sentBytes: 0,
    receivedFrames: 0,
    receivedBytes: 0,
    droppedFrames: 0,
  };
  readonly #link: Link;
  readonly #powerOnMac: Uint8Array;
  readonly #maxPairs: number;
  readonly #frame = new Uint8Array(VIRTIO_NET_HDR_BYTES + MAX_FRAME_BYTES);
  readonly #header = new DataView(this.#frame.buffer, 0, VIRTIO_NET_HDR_BYTES);
  #driver: VirtioDriver | undefined;
  #mac: Uint8Array;
  #queuePairs = 1;
  #guestOffloads = 0n;
  /** the driver's own choice was restored, or made by a command */
  #hasChosenOffloads = false;
  /** transmit queues that the driver has told of */
  readonly #toTransmit = new Set<number>();
  /** receive queues with completions that the driver has not been told of */
  readonly #toSignal = new Set<Virtqueue>();
  /** transmit queues with completions that the driver has not been told of */
  readonly #sent = new Map<Virtqueue, number>();
  readonly #clock: Clock | undefined;
  readonly #sentTimer: Timer | undefined;

  constructor(options: VirtioNetOptions) {
    const pairs = options.queuePairs ?? 1;
    this.name = options.name;
    this.#link = options.link;
    this.#powerOnMac = options.mac.slice();
    this.#mac = this.#powerOnMac;
    this.#maxPairs = pairs;
    this.#clock = options.clock;
    this.#sentTimer = options.clock?.timer(() => this.#tellSent());
    this.queueSizes = [
      ...Array.from({ length: pairs }, () => [RECEIVE_QUEUE_SIZE, TRANSMIT_QUEUE_SIZE]).flat(),
      CONTROL_QUEUE_SIZE,
    ];
    this.features =
      GUEST_OFFLOADS |
      VIRTIO_NET_F_CSUM |
      VIRTIO_NET_F_HOST_TSO4 |
      VIRTIO_NET_F_HOST_TSO6 |
      VIRTIO_NET_F_MAC |
      VIRTIO_NET_F_MRG_RXBUF |
      VIRTIO_NET_F_STATUS |
      VIRTIO_NET_F_CTRL_VQ |
      VIRTIO_NET_F_CTRL_RX |
      VIRTIO_NET_F_CTRL_MAC_ADDR |
      VIRTIO_NET_F_CTRL_GUEST_OFFLOADS |
      (pairs > 1 ? VIRTIO_NET_F_MQ : 0n);
    this.#link.connect(this);
    this.persist = section({
      name: this.name,
      version: 1,
      check: checkState,
      save: () => ({
        mac: this.#mac.slice(),
        queuePairs: this.#queuePairs,
        guestOffloads: this.#guestOffloads,
      }),
      load: (state) => {
        this.#mac = state.mac;
        this.#queuePairs = Math.min(state.queuePairs, this.#maxPairs);
        this.#guestOffloads = state.guestOffloads;
        this.#hasChosenOffloads = true;
      },
    });
  }

  /** Section 5.1.4: mac (6), status (2), largest number of queue pairs (2), MTU (2, not offered). */
  readConfig(offset: number, size: AccessSize): number {
    const config = new Uint8Array(12);
    config.set(this.#mac);
    config[6] = VIRTIO_NET_S_LINK_UP;
    config[8] = this.#maxPairs;
    return readStructure(config, offset, size);
  }

  activate(driver: VirtioDriver): void {
    this.#driver = driver;
    if (!this.#hasChosenOffloads) this.#guestOffloads = GUEST_OFFLOADS;
    this.#guestOffloads &= driver.features;
    this.#tellOffloads();
    for (const queue of driver.queues) {
      this.notify(queue.index);
      // A driver that was restored may wait for news that was due before.
      if (queue.hasNews && this.#isTransmit(driver, queue.index)) this.#sentSome(queue, 0);
    }
  }

  notify(index: number): void {
    const driver = this.#driver;
    if (driver === undefined) return;
    if (index === this.#controlIndex(driver)) this.#serveControl(driver, index);
    else if (index % 2 === 0) this.#link.poll();
    else this.#toTransmit.add(index);
  }

  /**
   * Sends what the driver has queued, and takes in what has arrived. To be called whenever the processor pauses: a
   * driver that is busy queues many frames meanwhile, and is told once that they are gone. True when frames arrived.
   */
  poll(): boolean {
    const driver = this.#driver;
    if (driver !== undefined && this.#toTransmit.size > 0) {
      const queues = [...this.#toTransmit];
      this.#toTransmit.clear();
      for (const index of queues) this.#transmit(driver, index);
    }
    return this.#link.poll();
  }

  reset(): void {
    this.#driver = undefined;
    this.#mac = this.#powerOnMac;
    this.#queuePairs = 1;
    this.#guestOffloads = 0n;
    this.#hasChosenOffloads = false;
    this.#toSignal.clear();
    this.#toTransmit.clear();
    this.#sent.clear();
    this.#sentTimer?.cancel();
    this.#link.accept(NO_OFFLOADS);
  }

  // The link.

  receive(frame: Uint8Array, offload: FrameOffload): boolean {
    const driver = this.#driver;
    if (driver === undefined) return true; // nobody listens
    const queue = driver.queues[this.#receiveIndex(frame)];
    if (queue === undefined || !queue.ready) return true;
    const mayMerge = (driver.features & VIRTIO_NET_F_MRG_RXBUF) !== 0n;
    const result = receiveFrame(queue, frame, offload, mayMerge);
    if (result === 'later') return !queue.ready;
    this.#toSignal.add(queue);
    if (result === 'dropped') this.counters.droppedFrames++;
    else {
      this.counters.receivedFrames++;
      this.counters.receivedBytes += frame.length;
    }
    return true;
  }

  settled(): void {
    for (const queue of this.#toSignal) queue.signal();
    this.#toSignal.clear();
  }

  ready(): void {
    const driver = this.#driver;
    if (driver === undefined) return;
    for (let pair = 0; pair < this.#queuePairs; pair++) this.#transmit(driver, 2 * pair + 1);
  }

  restarted(): void {}

  // The driver.

  #transmit(driver: VirtioDriver, index: number): void {
    const queue = driver.queues[index];
    if (queue === undefined) return;
    let sent = 0;
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      const frameBytes = chain.readable - VIRTIO_NET_HDR_BYTES;
      const isSendable = frameBytes >= ETHERNET_HEADER_BYTES && frameBytes <= MAX_FRAME_BYTES;
      if (isSendable) {
        chain.read(0, this.#frame.subarray(0, chain.readable));
        const offload = readHeader(this.#header, frameBytes, driver.features);
        const frame = this.#frame.subarray(VIRTIO_NET_HDR_BYTES, chain.readable);
        if (offload === undefined) this.counters.droppedFrames++;
        else if (this.#link.send(frame, offload)) {
          this.counters.sentFrames++;
          this.counters.sentBytes += frameBytes;
        } else {
          queue.putBack(1); // `ready` takes it up again
          break;
        }
      } else this.counters.droppedFrames++;
      queue.complete(chain, 0);
      sent++;
    }
    if (sent > 0) this.#sentSome(queue, sent);
  }

  /** Tells the driver of `count` more sent frames: at once when its queue may be full, else in a while. */
  #sentSome(queue: Virtqueue, count: number): void {
    const untold = (this.#sent.get(queue) ?? 0) + count;
    if (this.#clock === undefined || untold >= queue.size / 2) {
      this.#sent.delete(queue);
      queue.signal();
      return;
    }
    this.#sent.set(queue, untold);
    if (this.#sentTimer?.deadline === undefined) {
      this.#sentTimer?.arm(this.#clock.now() + TRANSMIT_NEWS_DELAY);
    }
  }

  #tellSent(): void {
    for (const queue of this.#sent.keys()) queue.signal();
    this.#sent.clear();
  }

  #serveControl(driver: VirtioDriver, index: number): void {
    const queue = driver.queues[index] as Virtqueue;
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      const written = serveControl(chain, {
        setMac: (mac) => {
          if ((driver.features & VIRTIO_NET_F_CTRL_MAC_ADDR) === 0n) return false;
          this.#mac = mac.slice();
          return true;
        },
        setQueuePairs: (pairs) => {
          if (pairs < 1 || pairs > this.#maxPairs || !this.#hasPairs(driver)) return false;
          this.#queuePairs = pairs;
          return true;
        },
        setGuestOffloads: (offloads) => {
          if ((offloads & ~(GUEST_OFFLOADS & driver.features)) !== 0n) return false;
          this.#guestOffloads = offloads;
          this.#hasChosenOffloads = true;
          this.#tellOffloads();
          return true;
        },
      });
      if (written === undefined) {
        driver.broken('a command without a place for the answer');
        return;
      }
      queue.complete(chain, written);
    }
    queue.signal();
  }

  #tellOffloads(): void {
    const offloads = this.#guestOffloads;
    this.#link.accept({
      checksum: (offloads & VIRTIO_NET_F_GUEST_CSUM) !== 0n,
      tcp4: (offloads & VIRTIO_NET_F_GUEST_TSO4) !== 0n,
      tcp6: (offloads & VIRTIO_NET_F_GUEST_TSO6) !== 0n,
    });
  }

  /** The control queue is the last, or the third for a driver that knows one pair only. */
  #controlIndex(driver: VirtioDriver): number {
    if ((driver.features & VIRTIO_NET_F_CTRL_VQ) === 0n) return -1;
    return this.#hasPairs(driver) ? 2 * this.#maxPairs : 2;
  }

  #isTransmit(driver: VirtioDriver, index: number): boolean {
    return index % 2 === 1 && index !== this.#controlIndex(driver);
  }

  #hasPairs(driver: VirtioDriver): boolean {
    return (driver.features & VIRTIO_NET_F_MQ) !== 0n;
  }

  /** Keeps the frames of a connection in one queue: by the last bytes of addresses, and the ports. */
  #receiveIndex(frame: Uint8Array): number {
    if (this.#queuePairs === 1) return 0;
    const at = frame[12] === 0x08 ? 14 + 12 : 14 + 8;
    let hash = 0;
    const end = Math.min(frame.length, frame[12] === 0x08 ? at + 12 : at + 36);
    for (let index = at; index < end; index++) hash = (hash * 31 + (frame[index] as number)) | 0;
    return 2 * ((hash >>> 0) % this.#queuePairs);
  }
}
