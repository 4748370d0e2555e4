import { givePiece, takePiece } from './byte-pool.ts';

/**
 * A first-in, first-out queue of bytes that can be read at any distance from its front: what was sent and not yet
 * acknowledged, and what is still to be sent. Takes memory only while it holds something.
 */
export class ByteQueue {
  #ring = new Uint8Array(0);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes of memory taken. */
  get capacity(): number {
    return this.#ring.length;
  }

  push(bytes: Uint8Array): void {
    this.#reserve(this.#length + bytes.length);
    const capacity = this.#ring.length;
    if (capacity === 0) return;
    const start = (this.#head + this.#length) & (capacity - 1);
    const first = Math.min(bytes.length, capacity - start);
    this.#ring.set(bytes.subarray(0, first), start);
    if (first < bytes.length) this.#ring.set(bytes.subarray(first), 0);
    this.#length += bytes.length;
  }

  /** Copies `count` bytes that begin `from` bytes behind the front to `target` at `offset`. */
  copy(from: number, count: number, target: Uint8Array, offset: number): void {
    const capacity = this.#ring.length;
    const start = (this.#head + from) & (capacity - 1);
    const first = Math.min(count, capacity - start);
    target.set(this.#ring.subarray(start, start + first), offset);
    if (count > first) target.set(this.#ring.subarray(0, count - first), offset + first);
  }

  /** Drops `count` bytes from the front. */
  skip(count: number): void {
    this.#length -= count;
    this.#head = (this.#head + count) & (this.#ring.length - 1);
    if (this.#length === 0) this.clear();
  }

  /** Drops everything, and gives the memory back. */
  clear(): void {
    givePiece(this.#ring);
    this.#ring = new Uint8Array(0);
    this.#head = 0;
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#ring.length) return;
    const grown = takePiece(Math.max(bytes, 2 * this.#ring.length));
    if (this.#length > 0) this.copy(0, this.#length, grown, 0);
    givePiece(this.#ring);
    this.#ring = grown;
    this.#head = 0;
  }
}
