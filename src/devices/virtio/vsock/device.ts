/**
 * Sockets between guest and host. VIRTIO 1.2, section 5.10. The device carries packets over a link to whoever keeps the
 * connections, and knows nothing of these; it cuts data to the size of the buffers on either side.
 * Left out: SEQPACKET sockets.
 */
import {
  type AccessSize,
  type Link,
  type LinkReceiver,
  NO_OFFLOADS,
  PLAIN_FRAME,
} from '../../../bus/mod.ts';
import { type Persist, record, section } from '../../../state/mod.ts';
import { readStructure, type VirtioDevice, type VirtioDriver } from '../device.ts';
import { VIRTIO_ID } from '../spec.ts';
import {
  EVENT_QUEUE,
  EVENT_QUEUE_SIZE,
  LENGTH_OFFSET,
  MAX_PAYLOAD_BYTES,
  OP_OFFSET,
  PACKET_HEADER_BYTES,
  QUEUE_SIZE,
  RECEIVE_QUEUE,
  TRANSMIT_QUEUE,
  VIRTIO_VSOCK_EVENT_TRANSPORT_RESET,
  VIRTIO_VSOCK_OP_RW,
} from './spec.ts';

const PCI_CLASS_OTHER = 0x02_80_00;
/** Payload of one packet on the link. */
const PIECE_BYTES = 32 * 1024;

export interface VirtioVsockOptions {
  /** unique in its machine, e.g. `virtio-vsock-0` */
  readonly name: string;
  readonly link: Link;
  /** the guest's context id: 3 or above, below 2^32 - 1 */
  readonly cid: number;
}

export interface VsockCounters {
  sentPackets: number;
  receivedPackets: number;
}

export class VirtioVsock implements VirtioDevice, LinkReceiver {
  readonly name: string;
  readonly type = VIRTIO_ID.vsock;
  readonly pciClass = PCI_CLASS_OTHER;
  readonly features = 0n;
  readonly queueSizes = [QUEUE_SIZE, QUEUE_SIZE, EVENT_QUEUE_SIZE];
  readonly persist: Persist<Record<never, never>>;
  readonly counters: VsockCounters = { sentPackets: 0, receivedPackets: 0 };
  readonly #link: Link;
  readonly #config = new Uint8Array(8);
  readonly #packet = new Uint8Array(PACKET_HEADER_BYTES + MAX_PAYLOAD_BYTES);
  readonly #piece = new Uint8Array(PACKET_HEADER_BYTES + PIECE_BYTES);
  #driver: VirtioDriver | undefined;
  /** bytes of the transmitted packet in hand that the link has taken */
  #transmitted = 0;
  /** bytes of the packet that the link offers that the driver has */
  #received = 0;
  #hasNews = false;
  /** the connections that the driver believes in are gone, and it does not know */
  #mustTellReset = false;

  constructor({ name, link, cid }: VirtioVsockOptions) {
    this.name = name;
    this.#link = link;
    new DataView(this.#config.buffer).setUint32(0, cid, true);
    link.connect(this);
    this.persist = section({
      name,
      version: 1,
      check: record({}),
      save: () => ({}),
      load: () => {
        // The host's ends of the connections are not where this guest left them.
        this.#forget();
        this.#mustTellReset = true;
      },
    });
  }

  readConfig(offset: number, size: AccessSize): number {
    return readStructure(this.#config, offset, size);
  }

  activate(driver: VirtioDriver): void {
    this.#driver = driver;
  }

  notify(index: number): void {
    if (index === TRANSMIT_QUEUE) this.#transmit();
    else if (index === RECEIVE_QUEUE) this.poll();
    else if (index === EVENT_QUEUE) this.#tellReset();
  }

  /** Takes in what has arrived from the host. True when there was something. */
  poll(): boolean {
    if (this.#driver === undefined) return false;
    if (this.#mustTellReset) this.#tellReset();
    return this.#link.poll();
  }

  reset(): void {
    if (this.#driver === undefined) return;
    this.#driver = undefined;
    this.#mustTellReset = false;
    this.#forget();
  }

  #forget(): void {
    this.#transmitted = 0;
    this.#received = 0;
    this.#link.restart();
    this.#link.accept(NO_OFFLOADS);
  }

  // The link.

  receive(frame: Uint8Array): boolean {
    const queue = this.#driver?.queues[RECEIVE_QUEUE];
    if (queue === undefined || !queue.ready) return true;
    for (;;) {
      const left = frame.length - PACKET_HEADER_BYTES - this.#received;
      const chain = queue.next();
      if (chain === undefined) return !queue.ready;
      const room = chain.writable - PACKET_HEADER_BYTES;
      if (room < 0 || (room === 0 && left > 0)) {
        this.#driver?.broken('a buffer with no room for a packet');
        return true;
      }
      const count = Math.min(left, room, PIECE_BYTES);
      const piece = this.#piece.subarray(0, PACKET_HEADER_BYTES + count);
      piece.set(frame.subarray(0, PACKET_HEADER_BYTES));
      const from = PACKET_HEADER_BYTES + this.#received;
      piece.set(frame.subarray(from, from + count), PACKET_HEADER_BYTES);
      setLength(piece, count);
      queue.complete(chain, chain.write(0, piece));
      this.#hasNews = true;
      this.counters.receivedPackets++;
      this.#received += count;
      if (count === left) {
        this.#received = 0;
        return true;
      }
    }
  }

  settled(): void {
    if (!this.#hasNews) return;
    this.#hasNews = false;
    this.#driver?.queues[RECEIVE_QUEUE]?.signal();
  }

  ready(): void {
    this.#transmit();
  }

  restarted(): void {}

  // The driver.

  #transmit(): void {
    const driver = this.#driver;
    const queue = driver?.queues[TRANSMIT_QUEUE];
    if (driver === undefined || queue === undefined) return;
    let hasNews = false;
    for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
      const { readable } = chain;
      if (readable < PACKET_HEADER_BYTES || readable > this.#packet.length) {
        driver.broken('a packet of an impossible length');
        return;
      }
      chain.read(0, this.#packet.subarray(0, readable));
      if (!this.#sendPieces(readable)) {
        queue.putBack(1); // `ready` takes it up again
        break;
      }
      this.counters.sentPackets++;
      queue.complete(chain, 0);
      hasNews = true;
    }
    if (hasNews) queue.signal();
  }

  /** Hands the packet to the link, data in pieces. False when it has no room for all. */
  #sendPieces(bytes: number): boolean {
    const header = this.#packet.subarray(0, PACKET_HEADER_BYTES);
    const total = Math.min(getLength(header), bytes - PACKET_HEADER_BYTES);
    const isData = header[OP_OFFSET] === VIRTIO_VSOCK_OP_RW && header[OP_OFFSET + 1] === 0;
    do {
      const count = isData ? Math.min(total - this.#transmitted, PIECE_BYTES) : 0;
      const piece = this.#piece.subarray(0, PACKET_HEADER_BYTES + count);
      piece.set(header);
      const from = PACKET_HEADER_BYTES + this.#transmitted;
      piece.set(this.#packet.subarray(from, from + count), PACKET_HEADER_BYTES);
      setLength(piece, count);
      if (!this.#link.send(piece, PLAIN_FRAME)) return false;
      this.#transmitted += count;
    } while (isData && this.#transmitted < total);
    this.#transmitted = 0;
    return true;
  }

  #tellReset(): void {
    const queue = this.#driver?.queues[EVENT_QUEUE];
    if (!this.#mustTellReset || queue === undefined) return;
    const chain = queue.next();
    if (chain === undefined) return;
    this.#mustTellReset = false;
    const event = Uint8Array.of(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, 0, 0, 0);
    queue.complete(chain, chain.write(0, event));
    queue.signal();
  }
}

function getLength(packet: Uint8Array): number {
  return new DataView(packet.buffer, packet.byteOffset).getUint32(LENGTH_OFFSET, true);
}

function setLength(packet: Uint8Array, bytes: number): void {
  new DataView(packet.buffer, packet.byteOffset).setUint32(LENGTH_OFFSET, bytes, true);
}
