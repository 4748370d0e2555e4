/**
 * A queue of bytes in shared memory with one writer and one reader. The counters run freely modulo
 * 2^32; their difference is the number of bytes that wait, and never more than the capacity.
 */
export class ByteRing {
  #bytes: Uint8Array<SharedArrayBuffer>;
  #words: Int32Array<SharedArrayBuffer>;
  #written: number;
  #read: number;

  /** `bytes.length` is a power of two; `written` and `read` are the counters' places in `words`. */
  constructor(
    bytes: Uint8Array<SharedArrayBuffer>,
    words: Int32Array<SharedArrayBuffer>,
    written: number,
    read: number,
  ) {
    this.#bytes = bytes;
    this.#words = words;
    this.#written = written;
    this.#read = read;
  }

  /** Bytes that wait to be read. */
  get length(): number {
    return (Atomics.load(this.#words, this.#written) - Atomics.load(this.#words, this.#read)) >>> 0;
  }

  /** Takes in as much of `source` as fits; returns how many bytes that was. */
  write(source: Uint8Array): number {
    const capacity = this.#bytes.length;
    const written = Atomics.load(this.#words, this.#written) >>> 0;
    const count = Math.min(source.length, capacity - this.length);
    const start = written & (capacity - 1);
    const first = Math.min(count, capacity - start);
    this.#bytes.set(source.subarray(0, first), start);
    this.#bytes.set(source.subarray(first, count), 0);
    Atomics.store(this.#words, this.#written, (written + count) | 0);
    return count;
  }

  /** A copy of at most `limit` bytes from the front, which stay in the queue. */
  peek(limit: number): Uint8Array<ArrayBuffer> {
    const capacity = this.#bytes.length;
    const count = Math.min(limit, this.length);
    const start = (Atomics.load(this.#words, this.#read) >>> 0) & (capacity - 1);
    const first = Math.min(count, capacity - start);
    const copy = new Uint8Array(count);
    copy.set(this.#bytes.subarray(start, start + first));
    copy.set(this.#bytes.subarray(0, count - first), first);
    return copy;
  }

  /** Drops `count` bytes from the front; at most `length`. */
  skip(count: number): void {
    Atomics.add(this.#words, this.#read, Math.min(count, this.length));
  }
}
