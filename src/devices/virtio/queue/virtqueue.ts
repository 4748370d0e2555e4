/**
 * A split virtqueue, seen from the device. VIRTIO 1.2, section 2.7.
 *
 * ```
 * driver area   0 flags  2 index  4 ring of heads (2 bytes each)            then used_event
 * device area   0 flags  2 index  4 ring of (head, bytes written) (8 each)  then avail_event
 * ```
 * A driver that breaks the rules makes the queue `broken`: it is told to the transport once, and the
 * queue stands still until it is reset. Left out: packed rings, the reset of a single queue.
 */
import type { GuestMemory } from '../../../memory/mod.ts';
import { boolean, type Checked, integer, record, u16 } from '../../../state/mod.ts';
import {
  VIRTIO_F_EVENT_IDX,
  VIRTIO_F_INDIRECT_DESC,
  VIRTQ_AVAIL_F_NO_INTERRUPT,
  VIRTQ_DESC_BYTES,
  VIRTQ_MAX_SIZE,
} from '../spec.ts';
import type { DescriptorChain } from './chain.ts';
import { walkDescriptors } from './descriptors.ts';

const FLAGS = 0;
const INDEX = 2;
const RING = 4;
const USED_ELEMENT_BYTES = 8;

const gpa = integer(0, Number.MAX_SAFE_INTEGER);
export const checkVirtqueue = record({
  size: integer(0, VIRTQ_MAX_SIZE),
  vector: u16,
  enabled: boolean,
  descriptors: gpa,
  driver: gpa,
  device: gpa,
  nextAvail: u16,
  usedIndex: u16,
  signalledIndex: u16,
  signalledValid: boolean,
});
export type VirtqueueState = Checked<typeof checkVirtqueue>;

/** What a queue needs of its transport. */
export interface VirtqueueOwner {
  readonly memory: GuestMemory;
  interrupt(queue: Virtqueue): void;
  broken(reason: string): void;
}

export class Virtqueue {
  readonly index: number;
  readonly maxSize: number;
  /** What the driver configured; see `VirtqueueState`. */
  size: number;
  vector = 0xffff;
  enabled = false;
  descriptors = 0;
  driver = 0;
  device = 0;
  readonly #owner: VirtqueueOwner;
  readonly #scratch = new Uint8Array(USED_ELEMENT_BYTES);
  readonly #view = new DataView(this.#scratch.buffer);
  #nextAvail = 0;
  #usedIndex = 0;
  /** index of the used ring as the driver last saw it, and whether there was such a moment */
  #signalledIndex = 0;
  #signalledValid = false;
  #allowIndirect = false;
  #eventIndex = false;
  #ready = false;

  /** @param maxSize a power of two, at most 32768 */
  constructor(index: number, maxSize: number, owner: VirtqueueOwner) {
    this.index = index;
    this.maxSize = maxSize;
    this.size = maxSize;
    this.#owner = owner;
  }

  /** True while the driver runs and keeps to the rules. */
  get ready(): boolean {
    return this.#ready;
  }

  /** The driver is ready: checks what it configured. False when that cannot work. */
  activate(features: bigint): boolean {
    this.#allowIndirect = (features & VIRTIO_F_INDIRECT_DESC) !== 0n;
    this.#eventIndex = (features & VIRTIO_F_EVENT_IDX) !== 0n;
    if (!this.enabled) return true;
    this.#ready = this.#isSound();
    return this.#ready;
  }

  /** Stops: a broken driver, or a reset to come. */
  halt(): void {
    this.#ready = false;
  }

  reset(): void {
    this.size = this.maxSize;
    this.vector = 0xffff;
    this.enabled = false;
    this.descriptors = 0;
    this.driver = 0;
    this.device = 0;
    this.#nextAvail = 0;
    this.#usedIndex = 0;
    this.#signalledIndex = 0;
    this.#signalledValid = false;
    this.#ready = false;
  }

  /** The next request, or undefined when there is none now. Asks the driver to tell of the next one. */
  next(): DescriptorChain | undefined {
    if (!this.#ready) return undefined;
    const waiting = (this.#read16(this.driver + INDEX) - this.#nextAvail) & 0xffff;
    if (waiting === 0) {
      // From here on the driver tells; there is no other thread, so nothing arrives in between.
      if (this.#eventIndex) this.#write16(this.#availEvent, this.#nextAvail);
      return undefined;
    }
    if (waiting > this.size) return this.#fail('more requests than the ring holds');
    const slot = this.#nextAvail & (this.size - 1);
    const head = this.#read16(this.driver + RING + 2 * slot);
    const ring = { gpa: this.descriptors, entries: this.size };
    const chain = walkDescriptors(this.#owner.memory, ring, head, this.#allowIndirect);
    if (typeof chain === 'string') return this.#fail(chain);
    this.#nextAvail = (this.#nextAvail + 1) & 0xffff;
    return chain;
  }

  /** Requests that wait, without taking one. */
  get waiting(): number {
    if (!this.#ready) return 0;
    return (this.#read16(this.driver + INDEX) - this.#nextAvail) & 0xffff;
  }

  /** Gives the last `count` requests back: they come again. None taken later may be done already. */
  putBack(count: number): void {
    this.#nextAvail = (this.#nextAvail - count) & 0xffff;
  }

  /** Hands a finished request back with the number of bytes written. Call `signal` after the last. */
  complete(chain: DescriptorChain, bytesWritten: number): void {
    if (!this.#ready) return;
    this.#put(chain, bytesWritten);
    this.#write16(this.device + INDEX, this.#usedIndex);
  }

  /** Hands several requests back; the driver sees all of them or none. */
  completeAll(done: readonly { chain: DescriptorChain; bytesWritten: number }[]): void {
    if (!this.#ready) return;
    for (const { chain, bytesWritten } of done) this.#put(chain, bytesWritten);
    this.#write16(this.device + INDEX, this.#usedIndex);
  }

  /** Finished requests that `signal` has not yet told of. */
  get hasNews(): boolean {
    return this.#ready && this.#usedIndex !== this.#signalledIndex;
  }

  /** Interrupts the driver if there is news and it wants to hear it; section 2.7.7. */
  signal(): void {
    if (!this.#ready) return;
    const before = this.#signalledIndex;
    const wasValid = this.#signalledValid;
    const now = this.#usedIndex;
    if (wasValid && before === now) return;
    this.#signalledIndex = now;
    this.#signalledValid = true;
    if (this.#eventIndex) {
      const event = this.#read16(this.driver + RING + 2 * this.size);
      const isPassed = ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
      if (wasValid && !isPassed) return;
    } else if (this.#read16(this.driver + FLAGS) & VIRTQ_AVAIL_F_NO_INTERRUPT) return;
    this.#owner.interrupt(this);
  }

  save(): VirtqueueState {
    return {
      size: this.size,
      vector: this.vector,
      enabled: this.enabled,
      descriptors: this.descriptors,
      driver: this.driver,
      device: this.device,
      nextAvail: this.#nextAvail,
      usedIndex: this.#usedIndex,
      signalledIndex: this.#signalledIndex,
      signalledValid: this.#signalledValid,
    };
  }

  /** Takes over checked state; `activate` follows. */
  load(state: VirtqueueState): void {
    this.size = state.size;
    this.vector = state.vector;
    this.enabled = state.enabled;
    this.descriptors = state.descriptors;
    this.driver = state.driver;
    this.device = state.device;
    this.#nextAvail = state.nextAvail;
    this.#usedIndex = state.usedIndex;
    this.#signalledIndex = state.signalledIndex;
    this.#signalledValid = state.signalledValid;
    this.#ready = false;
  }

  get #availEvent(): number {
    return this.device + RING + USED_ELEMENT_BYTES * this.size;
  }

  #isSound(): boolean {
    const { size, maxSize, descriptors, driver, device } = this;
    if (size < 1 || size > maxSize || (size & (size - 1)) !== 0) return false;
    if (descriptors % 16 !== 0 || driver % 2 !== 0 || device % 4 !== 0) return false;
    const { memory } = this.#owner;
    return (
      memory.contains(descriptors, size * VIRTQ_DESC_BYTES) &&
      memory.contains(driver, RING + 2 * size + 2) &&
      memory.contains(device, RING + USED_ELEMENT_BYTES * size + 2)
    );
  }

  #put(chain: DescriptorChain, bytesWritten: number): void {
    const slot = this.#usedIndex & (this.size - 1);
    this.#view.setUint32(0, chain.head, true);
    this.#view.setUint32(4, bytesWritten, true);
    this.#owner.memory.write(this.device + RING + USED_ELEMENT_BYTES * slot, this.#scratch);
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
  }

  #fail(reason: string): undefined {
    this.#ready = false;
    this.#owner.broken(`queue ${this.index}: ${reason}`);
    return undefined;
  }

  /** Little-endian, at an even address that was checked. */
  #read16(at: number): number {
    const word = this.#owner.memory.read32(at - (at % 4));
    return at % 4 === 0 ? word & 0xffff : word >>> 16;
  }

  #write16(at: number, value: number): void {
    this.#view.setUint16(0, value, true);
    this.#owner.memory.write(at, this.#scratch.subarray(0, 2));
  }
}
