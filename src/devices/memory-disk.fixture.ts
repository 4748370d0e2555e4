import type { BlockBackend } from '../bus/mod.ts';
import { VivariumError } from '../util/mod.ts';

/** A disk in memory that counts what is done to it, and fails when it is told to. */
export class MemoryDisk implements BlockBackend {
  readonly contents: Uint8Array;
  readonly bytes: number;
  readonly isReadOnly: boolean;
  readonly clusterBytes = 4096;
  flushes = 0;
  closes = 0;
  /** code of the error that the next calls throw */
  failure: string | undefined;

  constructor(bytes: number, isReadOnly = false) {
    this.bytes = bytes;
    this.isReadOnly = isReadOnly;
    this.contents = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at++) this.contents[at] = (at >> 9) + (at & 7);
  }

  read(offset: number, target: Uint8Array): void {
    this.#expectWithin(offset, target.length);
    target.set(this.contents.subarray(offset, offset + target.length));
  }

  write(offset: number, source: Uint8Array): void {
    this.#expectWithin(offset, source.length);
    this.contents.set(source, offset);
  }

  writeZeroes(offset: number, bytes: number): void {
    this.#expectWithin(offset, bytes);
    this.contents.fill(0, offset, offset + bytes);
  }

  discard(offset: number, bytes: number): void {
    this.#expectWithin(offset, bytes);
    this.contents.fill(0xdd, offset, offset + bytes);
  }

  flush(): void {
    this.#expectWithin(0, 0);
    this.flushes++;
  }

  close(): void {
    this.closes++;
  }

  /** Devices check ranges before they call. */
  #expectWithin(offset: number, bytes: number): void {
    if (this.failure !== undefined) throw new VivariumError(this.failure, 'the disk fails');
    if (offset < 0 || offset + bytes > this.bytes) throw new Error('a range beyond the disk');
  }
}
