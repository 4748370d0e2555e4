/**
 * A qcow2 image: versions 2 and 3, read and written. QEMU "qcow2" format description.
 *
 * Data are written before the tables that lead to them, and tables in an order that survives a crash
 * (see `metadata.ts`). Left out: encryption, external data files, extended level 2 entries, and keeping
 * bitmaps up to date, which are marked as out of date instead.
 */
import type { BlockBackend } from '../../bus/mod.ts';
import type { RandomAccessFile } from '../random-access-file.ts';
import { ClusterReader } from './cluster-reader.ts';
import type { ImageCodecs } from './codecs.ts';
import { ENTRY_ZERO, type Mapping } from './entries.ts';
import { corrupt, HEADER_FIELD, type Qcow2Header, readHeader } from './header.ts';
import { L2Map } from './l2-map.ts';
import { Metadata, Table } from './metadata.ts';
import { Refcounts } from './refcounts.ts';
import { resizeQcow2 } from './resize.ts';
import { headerOfSnapshot } from './snapshots.ts';

export interface Qcow2Options {
  readonly file: RandomAccessFile;
  readonly codecs: ImageCodecs;
  /** the image behind this one, if its header names one */
  readonly backing?: BlockBackend | undefined;
  /** an internal snapshot, by name or id, in place of the disk as it is now; read-only */
  readonly snapshot?: string | undefined;
}

export class Qcow2Image implements BlockBackend {
  readonly bytes: number;
  readonly isReadOnly: boolean;
  readonly clusterBytes: number;
  readonly header: Qcow2Header;
  /** For tools that change an image's shape. */
  readonly metadata: Metadata;
  readonly refcounts: Refcounts;
  readonly map: L2Map;
  readonly #file: RandomAccessFile;
  readonly #backing: BlockBackend | undefined;
  readonly #reader: ClusterReader;

  /** Throws `disk-corrupt` or `disk-format` for an image that cannot be opened. */
  constructor(options: Qcow2Options) {
    const { file, snapshot } = options;
    const header = snapshot === undefined ? readHeader(file) : headerOfSnapshot(file, snapshot);
    const clusterBytes = 2 ** header.clusterBits;
    this.#file = file;
    this.#backing = options.backing;
    this.header = header;
    // The guest sees whole sectors.
    this.bytes = Math.floor(header.bytes / 512) * 512;
    this.isReadOnly = file.isReadOnly || snapshot !== undefined;
    this.clusterBytes = clusterBytes;
    const l1 = readTable(file, header.l1Offset, header.l1Entries * 8);
    const refcountTable = readTable(
      file,
      header.refcountTableOffset,
      header.refcountTableClusters * clusterBytes,
    );
    this.metadata = new Metadata(file, clusterBytes, l1, refcountTable);
    this.refcounts = new Refcounts(file, this.metadata, header.clusterBits, header.refcountOrder);
    this.map = new L2Map({
      file,
      metadata: this.metadata,
      refcounts: this.refcounts,
      clusterBits: header.clusterBits,
      version: header.version,
    });
    this.#reader = new ClusterReader({
      file,
      map: this.map,
      codecs: options.codecs,
      compression: header.compression,
      clusterBytes,
      backing: options.backing,
    });
    if (!this.isReadOnly && header.autoclear !== 0n) this.#clearAutoclear();
  }

  read(offset: number, target: Uint8Array): void {
    this.metadata.trim();
    this.#reader.read(offset, target);
  }

  write(offset: number, source: Uint8Array): void {
    let done = 0;
    while (done < source.length) {
      const at = offset + done;
      const inCluster = at % this.clusterBytes;
      const count = Math.min(this.clusterBytes - inCluster, source.length - done);
      const index = Math.floor(at / this.clusterBytes);
      this.metadata.trim();
      const mapping = this.map.lookUp(index);
      if (mapping.kind === 'data' && mapping.copied) {
        const run = this.#runInPlace(index, mapping.host, inCluster, source.length - done);
        this.#file.write(mapping.host + inCluster, source.subarray(done, done + run));
        done += run;
        continue;
      }
      this.#writeElsewhere(index, mapping, inCluster, source.subarray(done, done + count));
      done += count;
    }
  }

  writeZeroes(offset: number, bytes: number): void {
    this.#eachCluster(offset, bytes, (index, from, count) => {
      const mapping = this.map.lookUp(index);
      if (this.#readsZero(mapping)) return;
      if (count === this.clusterBytes && this.#dropCluster(index, mapping)) return;
      this.write(index * this.clusterBytes + from, new Uint8Array(count));
    });
  }

  /** Whole clusters are given up; what is behind them does not show again. */
  discard(offset: number, bytes: number): void {
    this.#eachCluster(offset, bytes, (index, _from, count) => {
      if (count < this.clusterBytes) return;
      const mapping = this.map.lookUp(index);
      if (!this.#readsZero(mapping) || hasHost(mapping)) this.#dropCluster(index, mapping);
    });
  }

  /** Changes the capacity; the image is to be closed and opened again afterwards. */
  resize(bytes: number): void {
    resizeQcow2(this.#file, this, bytes, this.#backing?.bytes ?? 0);
  }

  flush(): void {
    if (!this.isReadOnly) this.metadata.flush();
  }

  close(): void {
    try {
      if (!this.isReadOnly) this.metadata.close();
    } finally {
      this.#file.close();
      this.#backing?.close();
    }
  }

  /** Host clusters that follow each other can be written at once. */
  #runInPlace(index: number, host: number, inCluster: number, wanted: number): number {
    let run = Math.min(this.clusterBytes - inCluster, wanted);
    let next = host + this.clusterBytes;
    for (let ahead = index + 1; run < wanted; ahead++) {
      const mapping = this.map.lookUp(ahead);
      if (mapping.kind !== 'data' || !mapping.copied || mapping.host !== next) break;
      run += Math.min(this.clusterBytes, wanted - run);
      next += this.clusterBytes;
    }
    return run;
  }

  /** Writes part of a cluster that has no place of its own yet, with what surrounds it. */
  #writeElsewhere(index: number, mapping: Mapping, inCluster: number, part: Uint8Array): void {
    const keepsPlace = mapping.kind === 'zero' && mapping.host !== undefined && mapping.copied;
    const { freshFrom } = this.refcounts;
    const host = keepsPlace ? (mapping.host as number) : this.refcounts.allocate();
    try {
      if (this.#readsZero(mapping) && host >= freshFrom) {
        this.#file.write(host + inCluster, part);
      } else this.#file.write(host, this.#surround(index, mapping, inCluster, part));
      this.metadata.dataWritten();
      this.map.setData(index, host);
    } catch (error) {
      if (!keepsPlace) this.refcounts.countDown(host);
      throw error;
    }
    if (!keepsPlace) this.#release(mapping);
  }

  /** The whole cluster, with `part` in its place. */
  #surround(index: number, mapping: Mapping, inCluster: number, part: Uint8Array): Uint8Array {
    if (part.length === this.clusterBytes) return part;
    const whole = new Uint8Array(this.clusterBytes);
    this.#reader.readCluster(index, mapping, whole);
    whole.set(part, inCluster);
    return whole;
  }

  /** Lets a whole cluster read as zero. False when the format cannot say so. */
  #dropCluster(index: number, mapping: Mapping): boolean {
    const isV3 = this.header.version === 3;
    if (this.#backing === undefined) this.map.setEntry(index, 0, 0);
    else if (isV3) this.map.setEntry(index, 0, ENTRY_ZERO);
    else return false;
    this.#release(mapping);
    return true;
  }

  /** Gives up the clusters that an entry pointed at. */
  #release(mapping: Mapping): void {
    if (mapping.kind === 'data') this.metadata.release(mapping.host);
    if (mapping.kind === 'zero' && mapping.host !== undefined) this.metadata.release(mapping.host);
    if (mapping.kind !== 'compressed') return;
    const first = Math.floor(mapping.host / this.clusterBytes);
    const last = Math.floor((mapping.host + mapping.bytes - 1) / this.clusterBytes);
    for (let cluster = first; cluster <= last; cluster++) {
      this.metadata.release(cluster * this.clusterBytes);
    }
  }

  #readsZero(mapping: Mapping): boolean {
    if (mapping.kind === 'zero') return true;
    return mapping.kind === 'unallocated' && this.#backing === undefined;
  }

  #eachCluster(
    offset: number,
    bytes: number,
    visit: (index: number, from: number, count: number) => void,
  ): void {
    let at = offset;
    const end = offset + bytes;
    while (at < end) {
      this.metadata.trim();
      const index = Math.floor(at / this.clusterBytes);
      const from = at % this.clusterBytes;
      // The last cluster of the disk may be cut short.
      const wholeEnd = Math.min((index + 1) * this.clusterBytes, end);
      const isDiskEnd = end === this.bytes && wholeEnd === end;
      const count = from === 0 && isDiskEnd ? this.clusterBytes : wholeEnd - at;
      visit(index, from, count);
      at = wholeEnd;
    }
  }

  /** What others keep beside the data (bitmaps) is no longer true once the data change. */
  #clearAutoclear(): void {
    this.#file.write(HEADER_FIELD.autoclear, new Uint8Array(8));
  }
}

function hasHost(mapping: Mapping): boolean {
  return mapping.kind === 'zero' && mapping.host !== undefined;
}

function readTable(file: RandomAccessFile, offset: number, bytes: number): Table {
  if (bytes > 0 && offset === 0) throw corrupt(file.name, 'a table lies in its header');
  const table = new Uint8Array(Math.ceil(bytes / 512) * 512);
  file.read(offset, table.subarray(0, bytes));
  return new Table(offset, table.subarray(0, bytes));
}
