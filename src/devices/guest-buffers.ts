import type { GuestMemory } from '../memory/mod.ts';

/** One stretch of guest memory, already checked to be RAM. */
export interface GuestBuffer {
  readonly gpa: number;
  readonly bytes: number;
}

/** Stretches of guest memory that together hold the data of one request. */
export class GuestBuffers {
  readonly bytes: number;
  readonly pieces: readonly GuestBuffer[];
  readonly #memory: GuestMemory;

  constructor(memory: GuestMemory, pieces: readonly GuestBuffer[]) {
    this.#memory = memory;
    this.pieces = pieces;
    let bytes = 0;
    for (const piece of pieces) bytes += piece.bytes;
    this.bytes = bytes;
  }

  /** Copies from `offset` of the data; returns how many bytes there were. */
  read(offset: number, target: Uint8Array): number {
    return this.#each(offset, target.length, (gpa, done, count) => {
      this.#memory.read(gpa, target.subarray(done, done + count));
    });
  }

  /** Copies to `offset` of the data; returns how many bytes found room. */
  write(offset: number, source: Uint8Array): number {
    return this.#each(offset, source.length, (gpa, done, count) => {
      this.#memory.write(gpa, source.subarray(done, done + count));
    });
  }

  #each(
    offset: number,
    bytes: number,
    visit: (gpa: number, done: number, count: number) => void,
  ): number {
    let skip = offset;
    let done = 0;
    for (const piece of this.pieces) {
      if (done === bytes) break;
      if (skip >= piece.bytes) {
        skip -= piece.bytes;
        continue;
      }
      const count = Math.min(piece.bytes - skip, bytes - done);
      visit(piece.gpa + skip, done, count);
      done += count;
      skip = 0;
    }
    return done;
  }
}
