/** From a byte of the disk to the entry that says where it is. QEMU "qcow2", section "Cluster mapping". */
import type { RandomAccessFile } from '../random-access-file.ts';
import { ENTRY_COPIED, entryOffset, highOf, lowOf, type Mapping, parseMapping } from './entries.ts';
import { corrupt } from './header.ts';
import type { Metadata, Table } from './metadata.ts';
import type { Refcounts } from './refcounts.ts';

export interface L2MapOptions {
  readonly file: RandomAccessFile;
  readonly metadata: Metadata;
  readonly refcounts: Refcounts;
  readonly clusterBits: number;
  readonly version: 2 | 3;
}

export class L2Map {
  readonly #file: RandomAccessFile;
  readonly #metadata: Metadata;
  readonly #refcounts: Refcounts;
  readonly #clusterBits: number;
  readonly #clusterBytes: number;
  readonly #entries: number;
  readonly #zeroAllowed: boolean;

  constructor(options: L2MapOptions) {
    this.#file = options.file;
    this.#metadata = options.metadata;
    this.#refcounts = options.refcounts;
    this.#clusterBits = options.clusterBits;
    this.#clusterBytes = 2 ** options.clusterBits;
    this.#entries = this.#clusterBytes / 8;
    this.#zeroAllowed = options.version === 3;
  }

  /** Where cluster `index` of the disk is. */
  lookUp(index: number): Mapping {
    const table = this.#tableOf(index);
    if (table === undefined) return { kind: 'unallocated' };
    const slot = index % this.#entries;
    const mapping = parseMapping(
      table.high(slot),
      table.low(slot),
      this.#clusterBits,
      this.#zeroAllowed,
    );
    if (mapping.kind === 'invalid') throw this.#damaged();
    return mapping;
  }

  /** Lets cluster `index` of the disk be at `host`, which is its alone. */
  setData(index: number, host: number): void {
    this.#set(index, (highOf(host) | ENTRY_COPIED) >>> 0, lowOf(host));
  }

  /** As an entry of its two halves. */
  setEntry(index: number, high: number, low: number): void {
    this.#set(index, high, low);
  }

  #set(index: number, high: number, low: number): void {
    this.#writableTable(index).set(index % this.#entries, high, low);
  }

  #tableOf(index: number): Table | undefined {
    const { l1 } = this.#metadata;
    const slot = Math.floor(index / this.#entries);
    if (slot * 8 >= l1.bytes.length) return undefined;
    const offset = entryOffset(l1.high(slot), l1.low(slot));
    if (offset === 0) return undefined;
    if (offset % this.#clusterBytes !== 0) throw this.#damaged();
    return this.#metadata.l2(offset);
  }

  /** The level 2 table for cluster `index`, made or copied if it is not ours alone. */
  #writableTable(index: number): Table {
    const { l1 } = this.#metadata;
    const slot = Math.floor(index / this.#entries);
    const high = l1.high(slot);
    const old = this.#tableOf(index);
    if (old !== undefined && (high & ENTRY_COPIED) !== 0) return old;
    const offset = this.#refcounts.allocate();
    const table = this.#metadata.createL2(offset, old?.bytes);
    l1.set(slot, (highOf(offset) | ENTRY_COPIED) >>> 0, lowOf(offset));
    if (old !== undefined) this.#metadata.release(old.offset);
    return table;
  }

  #damaged(): Error {
    return corrupt(this.#file.name, 'an entry of its tables points nowhere');
  }
}
