/** The driver of a network card, played by hand: queues in guest memory, and a link whose other end is the test. */
import {
  type Clock,
  type FrameOffload,
  type Link,
  type LinkOffloads,
  type LinkReceiver,
  NO_OFFLOADS,
  PLAIN_FRAME,
} from '../../../bus/mod.ts';
import { FramePool, GuestMemory } from '../../../memory/mod.ts';
import { Virtqueue } from '../queue/virtqueue.ts';
import { VIRTQ_DESC_F_NEXT, VIRTQ_DESC_F_WRITE } from '../spec.ts';
import { VirtioNet } from './device.ts';

const RAM_BYTES = 4 << 20;
/** Each queue has its rings in 64 KiB of its own; buffers come behind. */
const QUEUE_STRIDE = 0x1_0000;
const AVAIL = 0x4000;
const USED = 0x8000;
const BUFFERS = 0x10_0000;

export class HandLink implements Link {
  offloads: LinkOffloads = NO_OFFLOADS;
  accepted: LinkOffloads = NO_OFFLOADS;
  isDrained = true;
  hasRoom = true;
  receiver: LinkReceiver | undefined;
  readonly sent: { frame: Uint8Array; offload: FrameOffload }[] = [];
  /** frames for the device that it has not taken */
  readonly waiting: { frame: Uint8Array; offload: FrameOffload }[] = [];

  connect(receiver: LinkReceiver): void {
    this.receiver = receiver;
  }

  accept(offloads: LinkOffloads): void {
    this.accepted = offloads;
  }

  restart(): void {}

  send(frame: Uint8Array, offload: FrameOffload): boolean {
    if (this.hasRoom) this.sent.push({ frame: frame.slice(), offload });
    return this.hasRoom;
  }

  poll(): boolean {
    let taken = 0;
    for (; this.waiting.length > 0; taken++) {
      const first = this.waiting[0] as (typeof this.waiting)[number];
      if (!this.receiver?.receive(first.frame, first.offload)) break;
      this.waiting.shift();
    }
    this.receiver?.settled();
    return taken > 0;
  }

  /** Hands a frame to the device. */
  deliver(frame: Uint8Array, offload: FrameOffload = PLAIN_FRAME): void {
    this.waiting.push({ frame, offload });
    this.poll();
  }
}

export interface Buffer {
  readonly gpa: number;
  readonly bytes: number;
  readonly isWritable: boolean;
}

/** The driver's side of one queue. */
export class HandQueue {
  readonly queue: Virtqueue;
  readonly #memory: GuestMemory;
  readonly #base: number;
  #nextDescriptor = 0;
  #available = 0;
  #seen = 0;

  constructor(memory: GuestMemory, queue: Virtqueue) {
    this.#memory = memory;
    this.queue = queue;
    this.#base = QUEUE_STRIDE * (queue.index + 1);
    queue.enabled = true;
    queue.descriptors = this.#base;
    queue.driver = this.#base + AVAIL;
    queue.device = this.#base + USED;
  }

  /** Makes a chain of buffers available; returns its head. */
  post(buffers: readonly Buffer[]): number {
    const head = this.#nextDescriptor;
    for (const [index, { gpa, bytes, isWritable }] of buffers.entries()) {
      const at = this.#nextDescriptor;
      this.#nextDescriptor = (at + 1) % this.queue.size;
      const isLast = index === buffers.length - 1;
      const flags = (isWritable ? VIRTQ_DESC_F_WRITE : 0) | (isLast ? 0 : VIRTQ_DESC_F_NEXT);
      this.#memory.write32(this.#base + 16 * at, gpa);
      this.#memory.write32(this.#base + 16 * at + 4, 0);
      this.#memory.write32(this.#base + 16 * at + 8, bytes);
      this.#memory.write32(this.#base + 16 * at + 12, flags | (this.#nextDescriptor << 16));
    }
    this.#write16(AVAIL + 4 + 2 * (this.#available % this.queue.size), head);
    this.#available++;
    this.#write16(AVAIL + 2, this.#available);
    return head;
  }

  /** Takes what the device has finished since the last call. */
  used(): { head: number; bytes: number }[] {
    const count = this.#memory.read32(this.#base + USED) >>> 16;
    const finished: { head: number; bytes: number }[] = [];
    for (; this.#seen !== count; this.#seen = (this.#seen + 1) & 0xffff) {
      const at = this.#base + USED + 4 + 8 * (this.#seen % this.queue.size);
      finished.push({ head: this.#memory.read32(at), bytes: this.#memory.read32(at + 4) });
    }
    return finished;
  }

  #write16(offset: number, value: number): void {
    this.#memory.write(this.#base + offset, Uint8Array.of(value & 0xff, (value >> 8) & 0xff));
  }
}

/** A card, its link, and a driver that has negotiated `features`. */
export class HandDriver {
  readonly memory: GuestMemory;
  readonly link = new HandLink();
  readonly device: VirtioNet;
  readonly queues: readonly HandQueue[];
  readonly interrupts: number[] = [];
  reasons: string[] = [];
  readonly #features: bigint;
  #nextBuffer = BUFFERS;

  constructor(features: bigint, queuePairs = 1, clock?: Clock) {
    const pool = new FramePool(GuestMemory.poolBytes(RAM_BYTES), { shared: false });
    this.memory = new GuestMemory(pool, [{ start: 0, bytes: RAM_BYTES }]);
    this.device = new VirtioNet({
      name: 'virtio-net-0',
      link: this.link,
      mac: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56),
      queuePairs,
      ...(clock === undefined ? {} : { clock }),
    });
    this.#features = features;
    this.queues = this.device.queueSizes.map((size, index) => {
      const owner = {
        memory: this.memory,
        interrupt: (queue: Virtqueue) => void this.interrupts.push(queue.index),
        broken: (reason: string) => void this.reasons.push(reason),
      };
      return new HandQueue(this.memory, new Virtqueue(index, size, owner));
    });
    this.activate();
  }

  activate(): void {
    for (const { queue } of this.queues) queue.activate(this.#features);
    this.device.activate({
      features: this.#features,
      queues: this.queues.map(({ queue }) => queue),
      configChanged: () => {},
      broken: (reason) => void this.reasons.push(reason),
    });
  }

  queue(index: number): HandQueue {
    return this.queues[index] as HandQueue;
  }

  /** Room in guest memory with these contents. */
  place(contents: Uint8Array): Buffer {
    const gpa = this.#nextBuffer;
    this.#nextBuffer += (contents.length + 63) & ~63;
    this.memory.write(gpa, contents);
    return { gpa, bytes: contents.length, isWritable: false };
  }

  /** An empty buffer for the device to fill. */
  room(bytes: number): Buffer {
    return { ...this.place(new Uint8Array(bytes)), isWritable: true };
  }

  contents(buffer: Buffer, bytes = buffer.bytes): Uint8Array {
    const result = new Uint8Array(bytes);
    this.memory.read(buffer.gpa, result);
    return result;
  }
}
