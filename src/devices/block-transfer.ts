import type { BlockBackend } from '../bus/mod.ts';
import type { GuestBuffers, LinearPart } from './guest-buffers.ts';

const BUFFER_BYTES = 256 * 1024;
/** A call to the backend costs as much as copying so many bytes. */
const DIRECT_BYTES = 16 * 1024;

/**
 * Moves data between a disk and guest memory. Where many bytes lie in a row, the backend works on guest memory
 * itself; scattered pages go through a buffer, so that they do not take a call each.
 */
export class BlockTransfer {
  readonly #backend: BlockBackend;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);

  constructor(backend: BlockBackend) {
    this.#backend = backend;
  }

  /** From byte `start` of the disk to `bytes` of `data`, from `offset` of it on. */
  read(start: number, data: GuestBuffers, offset: number, bytes: number): void {
    this.#each(data.parts(offset, bytes, 'write'), bytes, {
      direct: (part) => {
        data.withPart(part, 'write', (view) => this.#backend.read(start + part.start, view));
      },
      buffered: (at, piece) => {
        this.#backend.read(start + at, piece);
        data.write(offset + at, piece);
      },
    });
  }

  /** From `bytes` of `data`, from `offset` of it on, to byte `start` of the disk. */
  write(start: number, data: GuestBuffers, offset: number, bytes: number): void {
    this.#each(data.parts(offset, bytes, 'read'), bytes, {
      direct: (part) => {
        data.withPart(part, 'read', (view) => this.#backend.write(start + part.start, view));
      },
      buffered: (at, piece) => {
        data.read(offset + at, piece);
        this.#backend.write(start + at, piece);
      },
    });
  }

  #each(
    parts: readonly LinearPart[],
    bytes: number,
    move: {
      direct: (part: LinearPart) => void;
      buffered: (at: number, piece: Uint8Array) => void;
    },
  ): void {
    const moveBuffered = (from: number, to: number): void => {
      for (let at = from; at < to; at += BUFFER_BYTES) {
        move.buffered(at, this.#buffer.subarray(0, Math.min(BUFFER_BYTES, to - at)));
      }
    };
    let done = 0;
    for (const part of parts) {
      const isAll = part.bytes === bytes;
      if (part.linear < 0 || (part.bytes < DIRECT_BYTES && !isAll)) continue;
      moveBuffered(done, part.start);
      move.direct(part);
      done = part.start + part.bytes;
    }
    moveBuffered(done, bytes);
  }
}
