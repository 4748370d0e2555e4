/**
 * A link whose ends are on different threads: two rings of frames in shared memory.
 *
 * ```
 * word  meaning                                             written by
 * 0, 1  frames from A to B: bytes written, bytes read       A, B
 * 2, 3  frames from B to A                                  B, A
 * 4, 5  end A, end B wants to be told of room               both
 * 6, 7  what end A, end B accepts: 1 checksum 2 tcp4 4 tcp6 A, B
 * 8, 9  counts the restarts of end A, end B                 A, B
 * ```
 */
import type { FrameOffload, Link, LinkOffloads, LinkReceiver } from '../../bus/mod.ts';
import { FrameRing } from './frame-ring.ts';

const WORDS = 16;
const RING_BYTES = 1 << 20;
const LINK_BYTES = 4 * WORDS + 2 * RING_BYTES;
const WANTS_ROOM = 4;
const ACCEPTS = 6;
const RESTARTS = 8;

const ACCEPTS_CHECKSUM = 1;
const ACCEPTS_TCP4 = 2;
const ACCEPTS_TCP6 = 4;

/** Frames that one `poll` offers at most, so that its thread gets to other work. */
const FRAMES_A_POLL = 256;

/** Memory for a link. */
export function createRingMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(LINK_BYTES);
}

export class RingLink implements Link {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #out: FrameRing;
  readonly #in: FrameRing;
  readonly #here: 0 | 1;
  readonly #there: 0 | 1;
  readonly #wake: () => void;
  #receiver: LinkReceiver | undefined;
  #isBlocked = false;
  #seenRestarts: number;
  #accepted = -1;
  #offloads: LinkOffloads = { checksum: false, tcp4: false, tcp6: false };

  /** `end` is 0 or 1; `wake` makes the thread of the other end poll. */
  constructor(memory: SharedArrayBuffer, end: 0 | 1, wake: () => void) {
    const words = new Int32Array(memory, 0, WORDS);
    const ring = (from: 0 | 1) =>
      new FrameRing(
        memory,
        4 * WORDS + from * RING_BYTES,
        RING_BYTES,
        words,
        2 * from,
        2 * from + 1,
      );
    this.#words = words;
    this.#here = end;
    this.#there = end === 0 ? 1 : 0;
    this.#out = ring(this.#here);
    this.#in = ring(this.#there);
    this.#wake = wake;
    this.#seenRestarts = Atomics.load(words, RESTARTS + this.#there);
  }

  get offloads(): LinkOffloads {
    const accepted = Atomics.load(this.#words, ACCEPTS + this.#there);
    if (accepted !== this.#accepted) {
      this.#accepted = accepted;
      this.#offloads = {
        checksum: (accepted & ACCEPTS_CHECKSUM) !== 0,
        tcp4: (accepted & ACCEPTS_TCP4) !== 0,
        tcp6: (accepted & ACCEPTS_TCP6) !== 0,
      };
    }
    return this.#offloads;
  }

  get isDrained(): boolean {
    return this.#out.isEmpty;
  }

  /** Frames wait for this end, or room that it waited for is there. */
  get hasNews(): boolean {
    return !this.#in.isEmpty || this.#hasRoomAgain || this.#isOtherNew;
  }

  connect(receiver: LinkReceiver): void {
    this.#receiver = receiver;
  }

  accept({ checksum, tcp4, tcp6 }: LinkOffloads): void {
    const accepted =
      (checksum ? ACCEPTS_CHECKSUM : 0) | (tcp4 ? ACCEPTS_TCP4 : 0) | (tcp6 ? ACCEPTS_TCP6 : 0);
    Atomics.store(this.#words, ACCEPTS + this.#here, accepted);
  }

  restart(): void {
    this.#in.clear();
    this.accept({ checksum: false, tcp4: false, tcp6: false });
    Atomics.add(this.#words, RESTARTS + this.#here, 1);
    this.#isBlocked = false;
    this.#tellOfRoom();
    this.#wake();
  }

  send(frame: Uint8Array, offload: FrameOffload): boolean {
    let result = this.#out.push(frame, offload);
    if (result === 'full') {
      Atomics.store(this.#words, WANTS_ROOM + this.#here, 1);
      // The reader may have made room before it could see that.
      result = this.#out.push(frame, offload);
      if (result === 'full') {
        this.#isBlocked = true;
        return false;
      }
    }
    if (result === 'first') this.#wake();
    return true;
  }

  poll(): boolean {
    const receiver = this.#receiver;
    if (receiver === undefined) return false;
    if (this.#isOtherNew) {
      this.#seenRestarts = Atomics.load(this.#words, RESTARTS + this.#there);
      receiver.restarted();
    }
    if (this.#hasRoomAgain) {
      this.#isBlocked = false;
      receiver.ready();
    }
    let taken = 0;
    while (taken < FRAMES_A_POLL) {
      const waiting = this.#in.peek();
      if (waiting === undefined || !receiver.receive(waiting.frame, waiting.offload)) break;
      this.#in.pop();
      taken++;
    }
    if (taken === 0) return false;
    receiver.settled();
    if (this.#in.hasRoom) this.#tellOfRoom();
    return true;
  }

  get #hasRoomAgain(): boolean {
    return this.#isBlocked && this.#out.hasRoom;
  }

  get #isOtherNew(): boolean {
    return Atomics.load(this.#words, RESTARTS + this.#there) !== this.#seenRestarts;
  }

  #tellOfRoom(): void {
    if (Atomics.exchange(this.#words, WANTS_ROOM + this.#there, 0) !== 0) this.#wake();
  }
}
