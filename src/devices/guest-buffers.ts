import type { GuestMemory, MemoryStretch } from '../memory/mod.ts';

/** One stretch of guest memory, already checked to be RAM. */
export interface GuestBuffer {
  readonly gpa: number;
  readonly bytes: number;
}

/** A part of the data, from byte `start` of it on, that lies in linear memory in a row. */
export interface LinearPart extends MemoryStretch {
  readonly start: number;
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

  /** The `bytes` from `offset` on as they lie in linear memory; `linear` is -1 where nothing is to be written. */
  parts(offset: number, bytes: number, access: 'read' | 'write'): LinearPart[] {
    const parts: LinearPart[] = [];
    this.#each(offset, bytes, (gpa, start, count) => {
      for (let done = 0; done < count; ) {
        const stretch = this.#memory.stretch(gpa + done, count - done, access);
        const last = parts.at(-1);
        if (last !== undefined && last.linear >= 0 && last.linear + last.bytes === stretch.linear) {
          parts[parts.length - 1] = { ...last, bytes: last.bytes + stretch.bytes };
        } else parts.push({ start: start + done, ...stretch });
        done += stretch.bytes;
      }
    });
    return parts;
  }

  /** Has `use` read or fill a part. */
  withPart(part: LinearPart, access: 'read' | 'write', use: (bytes: Uint8Array) => void): void {
    const { pool } = this.#memory;
    use(pool.bytes.subarray(part.linear, part.linear + part.bytes));
    if (access === 'write') this.#memory.wrote(part);
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
