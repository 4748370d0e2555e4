import type { RandomAccessFile } from './random-access-file.ts';

const CHUNK_BYTES = 64 * 1024;

/** A sparse file in memory: chunks that were never written cost nothing. */
export class MemoryFile implements RandomAccessFile {
  readonly name: string;
  readonly isReadOnly = false;
  readonly #chunks = new Map<number, Uint8Array>();
  #bytes = 0;

  constructor(name = 'memory', contents?: Uint8Array) {
    this.name = name;
    if (contents !== undefined) this.write(0, contents);
  }

  size(): number {
    return this.#bytes;
  }

  read(offset: number, target: Uint8Array): void {
    each(offset, target.length, (index, from, done, count) => {
      const chunk = this.#chunks.get(index);
      const piece = target.subarray(done, done + count);
      if (chunk === undefined) piece.fill(0);
      else piece.set(chunk.subarray(from, from + count));
    });
  }

  write(offset: number, source: Uint8Array): void {
    each(offset, source.length, (index, from, done, count) => {
      let chunk = this.#chunks.get(index);
      if (chunk === undefined) {
        chunk = new Uint8Array(CHUNK_BYTES);
        this.#chunks.set(index, chunk);
      }
      chunk.set(source.subarray(done, done + count), from);
    });
    this.#bytes = Math.max(this.#bytes, offset + source.length);
  }

  truncate(bytes: number): void {
    if (bytes < this.#bytes) {
      const last = Math.floor(bytes / CHUNK_BYTES);
      for (const index of this.#chunks.keys()) if (index > last) this.#chunks.delete(index);
      this.#chunks.get(last)?.fill(0, bytes % CHUNK_BYTES);
    }
    this.#bytes = bytes;
  }

  flush(): void {}

  allocatedBytes(): number {
    return this.#chunks.size * CHUNK_BYTES;
  }

  close(): void {}
}

function each(
  offset: number,
  bytes: number,
  visit: (index: number, from: number, done: number, count: number) => void,
): void {
  let done = 0;
  while (done < bytes) {
    const at = offset + done;
    const from = at % CHUNK_BYTES;
    const count = Math.min(CHUNK_BYTES - from, bytes - done);
    visit(Math.floor(at / CHUNK_BYTES), from, done, count);
    done += count;
  }
}
