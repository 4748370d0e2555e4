/**
 * A queue of frames in shared memory with one writer and one reader, on threads of their own. The counters run freely
 * modulo 2^32 and count bytes. A record is never split: when the rest of the ring is too small for it, the rest is
 * skipped.
 *
 * ```
 *  0 length of the frame, or SKIP   4 gso, 1 << 8 if a checksum is due   8 its start, offset << 16
 * 12 header bytes, segment bytes << 16   16 frame, padded to 16 bytes
 * ```
 */
import { type FrameOffload, type GsoKind, MAX_FRAME_BYTES } from '../../bus/mod.ts';

const HEADER_BYTES = 16;
const SKIP = -1;
const CHECKSUM_DUE = 1 << 8;

/** A frame that waits. The bytes are a view of the ring. */
export interface WaitingFrame {
  readonly frame: Uint8Array;
  readonly offload: FrameOffload;
}

export class FrameRing {
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #records: Int32Array<SharedArrayBuffer>;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #written: number;
  readonly #read: number;

  /**
   * `capacity` bytes at `offset` of `buffer`, a power of two with room for several of the largest frames; `written`
   * and `read` are the counters' places in `words`.
   */
  constructor(
    buffer: SharedArrayBuffer,
    offset: number,
    capacity: number,
    words: Int32Array<SharedArrayBuffer>,
    written: number,
    read: number,
  ) {
    this.#bytes = new Uint8Array(buffer, offset, capacity);
    this.#records = new Int32Array(buffer, offset, capacity / 4);
    this.#words = words;
    this.#written = written;
    this.#read = read;
  }

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** Bytes taken, headers included. */
  get length(): number {
    return (Atomics.load(this.#words, this.#written) - Atomics.load(this.#words, this.#read)) >>> 0;
  }

  /** A frame of any size finds room. */
  get hasRoom(): boolean {
    // A record and what is skipped before it.
    return this.#bytes.length - this.length >= 2 * (HEADER_BYTES + MAX_FRAME_BYTES + 15);
  }

  /**
   * Writes a frame. `'waiting'`: the reader has not come to the end of what was there before, so it will find this
   * one too; `'first'`: it may have, and needs to be told.
   */
  push(frame: Uint8Array, offload: FrameOffload): 'full' | 'waiting' | 'first' {
    if (!this.hasRoom) return 'full';
    const capacity = this.#bytes.length;
    const before = Atomics.load(this.#words, this.#written);
    let written = before >>> 0;
    let at = written & (capacity - 1);
    const size = (HEADER_BYTES + frame.length + 15) & ~15;
    if (at + size > capacity) {
      this.#records[at >> 2] = SKIP;
      written += capacity - at;
      at = 0;
    }
    const { checksum } = offload;
    const word = at >> 2;
    this.#records[word] = frame.length;
    this.#records[word + 1] = offload.gso | (checksum === undefined ? 0 : CHECKSUM_DUE);
    this.#records[word + 2] = checksum === undefined ? 0 : checksum.start | (checksum.offset << 16);
    this.#records[word + 3] = offload.headerBytes | (offload.segmentBytes << 16);
    this.#bytes.set(frame, at + HEADER_BYTES);
    Atomics.store(this.#words, this.#written, (written + size) | 0);
    return Atomics.load(this.#words, this.#read) === before ? 'first' : 'waiting';
  }

  /** The first frame, which stays until `pop`. */
  peek(): WaitingFrame | undefined {
    const at = this.#front();
    if (at === undefined) return undefined;
    const word = at >> 2;
    const length = this.#records[word] as number;
    const kind = this.#records[word + 1] as number;
    const place = this.#records[word + 2] as number;
    const sizes = this.#records[word + 3] as number;
    return {
      frame: this.#bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length),
      offload: {
        checksum: kind & CHECKSUM_DUE ? { start: place & 0xffff, offset: place >>> 16 } : undefined,
        gso: (kind & 0xff) as GsoKind,
        headerBytes: sizes & 0xffff,
        segmentBytes: sizes >>> 16,
      },
    };
  }

  /** Drops the first frame. */
  pop(): void {
    const at = this.#front();
    if (at === undefined) return;
    const length = this.#records[at >> 2] as number;
    Atomics.add(this.#words, this.#read, (HEADER_BYTES + length + 15) & ~15);
  }

  /** Drops all that waits. For the reader. */
  clear(): void {
    Atomics.store(this.#words, this.#read, Atomics.load(this.#words, this.#written));
  }

  /** Where the first record is, behind a skipped rest. */
  #front(): number | undefined {
    if (this.isEmpty) return undefined;
    const capacity = this.#bytes.length;
    const at = (Atomics.load(this.#words, this.#read) >>> 0) & (capacity - 1);
    if (this.#records[at >> 2] !== SKIP) return at;
    Atomics.add(this.#words, this.#read, capacity - at);
    return 0;
  }
}
