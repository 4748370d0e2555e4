/**
 * A request as the driver laid it out: buffers for the device to read, then buffers for it to write.
 * VIRTIO 1.2, sections 2.6 and 2.7.4. Where one buffer ends and the next begins means nothing.
 */
import type { GuestMemory } from '../../../memory/mod.ts';

/** One buffer in guest memory, already checked to be RAM. */
export interface ChainBuffer {
  readonly gpa: number;
  readonly bytes: number;
}

export class DescriptorChain {
  /** index of the first descriptor, by which the driver knows the request */
  readonly head: number;
  /** bytes for the device to read */
  readonly readable: number;
  /** bytes for the device to write */
  readonly writable: number;
  readonly #memory: GuestMemory;
  readonly #read: readonly ChainBuffer[];
  readonly #write: readonly ChainBuffer[];

  constructor(
    memory: GuestMemory,
    head: number,
    read: readonly ChainBuffer[],
    write: readonly ChainBuffer[],
  ) {
    this.#memory = memory;
    this.head = head;
    this.#read = read;
    this.#write = write;
    this.readable = total(read);
    this.writable = total(write);
  }

  /** Copies from `offset` of the readable bytes; returns how many there were. */
  read(offset: number, target: Uint8Array): number {
    return each(this.#read, offset, target.length, (gpa, done, count) => {
      this.#memory.read(gpa, target.subarray(done, done + count));
    });
  }

  /** Copies to `offset` of the writable bytes; returns how many found room. */
  write(offset: number, source: Uint8Array): number {
    return each(this.#write, offset, source.length, (gpa, done, count) => {
      this.#memory.write(gpa, source.subarray(done, done + count));
    });
  }

  /** The buffers to write, for devices that use the pages themselves. */
  get writableBuffers(): readonly ChainBuffer[] {
    return this.#write;
  }
}

function total(buffers: readonly ChainBuffer[]): number {
  let bytes = 0;
  for (const buffer of buffers) bytes += buffer.bytes;
  return bytes;
}

/** Calls `visit` for the pieces of `[offset, offset + bytes)`; returns how many bytes there were. */
function each(
  buffers: readonly ChainBuffer[],
  offset: number,
  bytes: number,
  visit: (gpa: number, done: number, count: number) => void,
): number {
  let skip = offset;
  let done = 0;
  for (const buffer of buffers) {
    if (done === bytes) break;
    if (skip >= buffer.bytes) {
      skip -= buffer.bytes;
      continue;
    }
    const count = Math.min(buffer.bytes - skip, bytes - done);
    visit(buffer.gpa + skip, done, count);
    done += count;
    skip = 0;
  }
  return done;
}
