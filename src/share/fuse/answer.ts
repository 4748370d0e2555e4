import { MAX_FILE_MESSAGE_BYTES } from '../../bus/mod.ts';
import { OUT_HEADER_BYTES } from './spec.ts';

const SECOND = 1_000_000_000n;

/**
 * An answer as it is written, front to back; the header comes last.
 *
 * ```
 * 0 length  4 error, negative  8 unique (8)
 * ```
 */
export class Answer {
  readonly #bytes = new Uint8Array(OUT_HEADER_BYTES + MAX_FILE_MESSAGE_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = OUT_HEADER_BYTES;
  #room = 0;

  /** Begins an answer of at most `room` bytes. */
  begin(room: number): void {
    this.#at = OUT_HEADER_BYTES;
    this.#room = Math.min(room, this.#bytes.length);
  }

  /** Bytes that still find room. */
  get room(): number {
    return Math.max(0, this.#room - this.#at);
  }

  /** What was written has found room. */
  get fits(): boolean {
    return this.#at <= this.#room;
  }

  get position(): number {
    return this.#at;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  u64(value: number | bigint): void {
    this.#view.setBigUint64(this.#at, BigInt(value), true);
    this.#at += 8;
  }

  bytes(source: Uint8Array): void {
    this.#bytes.set(source, this.#at);
    this.#at += source.length;
  }

  /** Text of one byte a character. */
  binaryText(text: string): void {
    for (let index = 0; index < text.length; index++) {
      this.#bytes[this.#at + index] = text.charCodeAt(index);
    }
    this.#at += text.length;
  }

  /** Zeroes up to a multiple of 8 bytes. */
  align(): void {
    const end = (this.#at + 7) & ~7;
    this.#bytes.fill(0, this.#at, end);
    this.#at = end;
  }

  zeroes(count: number): void {
    this.#bytes.fill(0, this.#at, this.#at + count);
    this.#at += count;
  }

  /** Room for somebody else to fill; `advance` says how much of it was. */
  space(count: number): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + Math.min(count, this.room));
  }

  advance(count: number): void {
    this.#at += count;
  }

  /** Three times, in nanoseconds: their seconds, then the rest of each. */
  times(...times: readonly bigint[]): void {
    const rests: number[] = [];
    for (const time of times) {
      const rest = ((time % SECOND) + SECOND) % SECOND;
      this.#view.setBigInt64(this.#at, (time - rest) / SECOND, true);
      this.#at += 8;
      rests.push(Number(rest));
    }
    for (const rest of rests) this.u32(rest);
  }

  /** The whole answer, or that of an error, which has nothing but the header. */
  finish(unique: bigint, errno = 0): Uint8Array {
    if (errno !== 0) this.#at = OUT_HEADER_BYTES;
    this.#view.setUint32(0, this.#at, true);
    this.#view.setInt32(4, -errno, true);
    this.#view.setBigUint64(8, unique, true);
    return this.#bytes.subarray(0, this.#at);
  }
}
