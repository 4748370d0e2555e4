/** Disks are addressed in sectors of this size. */
export const SECTOR_BYTES = 512;

/**
 * What a disk device stands on: an image, an overlay, a part of another. All calls return when the
 * work is done, on the thread of the machine.
 *
 * Failures are a `VivariumError`: `disk-io`, `disk-full`, `disk-read-only`, `disk-corrupt`. Ranges lie
 * within `bytes`, which the device has checked; `offset` may be any byte, though devices use sectors.
 */
export interface BlockBackend {
  /** capacity, a multiple of the sector size */
  readonly bytes: number;
  readonly isReadOnly: boolean;
  /** size of the pieces in which space is allocated, a power of two; a hint for alignment */
  readonly clusterBytes: number;
  read(offset: number, target: Uint8Array): void;
  /** Later reads see it at once; it is durable after the next `flush`. */
  write(offset: number, source: Uint8Array): void;
  /** The range reads as zero from now on; its space may be released. */
  writeZeroes(offset: number, bytes: number): void;
  /** The range is of no more use: its contents may be anything, its space may be released. */
  discard(offset: number, bytes: number): void;
  /** Returns when everything written is durable. */
  flush(): void;
  /** Flushes and lets go of what the backend holds. */
  close(): void;
}
