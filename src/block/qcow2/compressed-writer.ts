/** Puts compressed clusters into a fresh image, one after the other, as `viv disk convert --compress` does. */
import { SECTOR_BYTES } from '../../bus/mod.ts';
import type { RandomAccessFile } from '../random-access-file.ts';
import { ENTRY_COMPRESSED } from './entries.ts';
import type { Qcow2Image } from './image.ts';

export class CompressedWriter {
  readonly #file: RandomAccessFile;
  readonly #image: Qcow2Image;
  /** where the next one goes, and the end of the space at hand */
  #at = 0;
  #end = 0;

  constructor(file: RandomAccessFile, image: Qcow2Image) {
    this.#file = file;
    this.#image = image;
  }

  /** Lets cluster `index` of the disk be what `packed` unpacks to; shorter than a cluster. */
  write(index: number, packed: Uint8Array): void {
    const { clusterBytes, refcounts, metadata, map } = this.#image;
    metadata.trim();
    const hadRoom = this.#at < this.#end;
    if (this.#end - this.#at < packed.length) {
      const fresh = refcounts.allocate();
      if (!hadRoom || fresh !== this.#end) this.#at = fresh;
      else this.#count(this.#at);
      this.#end = fresh + clusterBytes;
    } else this.#count(this.#at);
    const host = this.#at;
    this.#file.write(host, packed);
    this.#at += packed.length;
    metadata.dataWritten();
    const split = 62 - (this.#image.header.clusterBits - 8) - 32;
    const sectors =
      Math.floor((host + packed.length - 1) / SECTOR_BYTES) - Math.floor(host / SECTOR_BYTES);
    const high = (ENTRY_COMPRESSED | (sectors * 2 ** split) | Math.floor(host / 2 ** 32)) >>> 0;
    map.setEntry(index, high, host % 2 ** 32);
  }

  /** The cluster at hand is used once more. */
  #count(at: number): void {
    const { clusterBytes, refcounts } = this.#image;
    const cluster = Math.floor(at / clusterBytes);
    refcounts.set(cluster, refcounts.get(cluster) + 1);
  }
}
