/**
 * A disk image that is nothing but the disk's bytes. A file whose size is no whole number of sectors
 * is rounded up; the rest of the last sector reads as zero.
 */
import { type BlockBackend, SECTOR_BYTES } from '../../bus/mod.ts';
import { isZero, VivariumError } from '../../util/mod.ts';
import { PROBE_BYTES, probeFormat } from '../format.ts';
import type { RandomAccessFile } from '../random-access-file.ts';

const PIECE_BYTES = 256 * 1024;
const zeroes = new Uint8Array(PIECE_BYTES);

export class RawImage implements BlockBackend {
  readonly bytes: number;
  readonly isReadOnly: boolean;
  readonly clusterBytes = 4096;
  readonly #file: RandomAccessFile;
  readonly #scratch = new Uint8Array(PIECE_BYTES);

  constructor(file: RandomAccessFile) {
    this.#file = file;
    this.isReadOnly = file.isReadOnly;
    this.bytes = Math.ceil(file.size() / SECTOR_BYTES) * SECTOR_BYTES;
  }

  read(offset: number, target: Uint8Array): void {
    this.#file.read(offset, target);
  }

  write(offset: number, source: Uint8Array): void {
    this.#file.write(offset, source);
  }

  /** Writes only where there is something else than zeroes, so that holes stay holes. */
  writeZeroes(offset: number, bytes: number): void {
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      const count = Math.min(PIECE_BYTES, bytes - done);
      const piece = this.#scratch.subarray(0, count);
      this.#file.read(offset + done, piece);
      if (!isZero(piece)) this.#file.write(offset + done, zeroes.subarray(0, count));
    }
  }

  discard(): void {}

  flush(): void {
    this.#file.flush();
  }

  close(): void {
    if (!this.isReadOnly) this.#file.flush();
    this.#file.close();
  }
}

/**
 * An image that is taken for raw only because it looks like nothing else. Its guest may not make it
 * look like something else: the next start would follow the names of files that the guest wrote there.
 */
export class ProbedRawImage extends RawImage {
  override write(offset: number, data: Uint8Array): void {
    let source = data;
    if (offset < PROBE_BYTES) {
      // Guest memory, which another processor of the guest could change after it was looked at.
      source = data.slice();
      const head = new Uint8Array(PROBE_BYTES);
      this.read(0, head);
      head.set(source.subarray(0, PROBE_BYTES - offset), offset);
      if (probeFormat(head) !== 'raw') {
        throw new VivariumError(
          'disk-format',
          'a guest may not write the header of a disk image into a disk whose format was not given; add format=raw',
        );
      }
    }
    super.write(offset, source);
  }
}
