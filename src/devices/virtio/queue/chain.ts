/**
 * A request as the driver laid it out: buffers for the device to read, then buffers for it to write.
 * VIRTIO 1.2, sections 2.6 and 2.7.4. Where one buffer ends and the next begins means nothing.
 */
import type { GuestMemory } from '../../../memory/mod.ts';
import { type GuestBuffer, GuestBuffers } from '../../guest-buffers.ts';

export class DescriptorChain {
  /** index of the first descriptor, by which the driver knows the request */
  readonly head: number;
  readonly #read: GuestBuffers;
  readonly #write: GuestBuffers;

  constructor(
    memory: GuestMemory,
    head: number,
    read: readonly GuestBuffer[],
    write: readonly GuestBuffer[],
  ) {
    this.head = head;
    this.#read = new GuestBuffers(memory, read);
    this.#write = new GuestBuffers(memory, write);
  }

  /** Bytes for the device to read. */
  get readable(): number {
    return this.#read.bytes;
  }

  /** Bytes for the device to write. */
  get writable(): number {
    return this.#write.bytes;
  }

  /** Copies from `offset` of the readable bytes; returns how many there were. */
  read(offset: number, target: Uint8Array): number {
    return this.#read.read(offset, target);
  }

  /** Copies to `offset` of the writable bytes; returns how many found room. */
  write(offset: number, source: Uint8Array): number {
    return this.#write.write(offset, source);
  }

  /** The buffers to read and to write, for devices that use the memory itself. */
  get readableBuffers(): GuestBuffers {
    return this.#read;
  }
  get writableBuffers(): GuestBuffers {
    return this.#write;
  }
}
