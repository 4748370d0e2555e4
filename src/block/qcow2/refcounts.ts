/**
 * Reference counts of clusters, and the choice of free ones. QEMU "qcow2" format description, section
 * "Host cluster management": a table of blocks, a count of 1 to 64 bits for each cluster of the file.
 */
import type { RandomAccessFile } from '../random-access-file.ts';
import { entryOffset, highOf, lowOf } from './entries.ts';
import { corrupt, HEADER_FIELD } from './header.ts';
import { type Metadata, Table } from './metadata.ts';

/** Host offsets stay below what a level 1 or 2 entry can point at. */
const MAX_HOST_BYTES = 2 ** 53;

export class Refcounts {
  readonly #file: RandomAccessFile;
  readonly #metadata: Metadata;
  readonly #clusterBytes: number;
  readonly #order: number;
  readonly #perBlock: number;
  /** no cluster below is free */
  #freeHint = 0;
  #usedTo: number;

  constructor(file: RandomAccessFile, metadata: Metadata, clusterBits: number, order: number) {
    this.#file = file;
    this.#metadata = metadata;
    this.#clusterBytes = 2 ** clusterBits;
    this.#order = order;
    this.#perBlock = (this.#clusterBytes * 8) / 2 ** order;
    this.#usedTo = file.size();
    metadata.onReleased((offset) => this.countDown(offset));
  }

  /** Counts that one block holds. */
  get perBlock(): number {
    return this.#perBlock;
  }

  /** Clusters from here on were never written: they read as zero. */
  get freshFrom(): number {
    return this.#usedTo;
  }

  /** True when there is room for the count of cluster `index`. */
  hasBlock(index: number): boolean {
    return this.#block(index) !== undefined;
  }

  /** The count of cluster `index`. */
  get(index: number): number {
    const block = this.#block(index);
    return block === undefined ? 0 : this.#count(block, index % this.#perBlock);
  }

  /** Sets the count of a cluster, making room for it if need be. */
  set(index: number, count: number): void {
    const block = this.#block(index) ?? this.#createBlock(index);
    this.#setCount(block, index % this.#perBlock, count);
    if (count === 0) this.#freeHint = Math.min(this.#freeHint, index);
    else this.#usedTo = Math.max(this.#usedTo, (index + 1) * this.#clusterBytes);
  }

  /** Counts a cluster down at once: nothing in the file points at it. */
  countDown(offset: number): void {
    const index = Math.floor(offset / this.#clusterBytes);
    const count = this.get(index);
    if (count === 0) throw corrupt(this.#file.name, 'a cluster in use is counted as free');
    this.set(index, count - 1);
  }

  /** Takes a free cluster; returns its offset. */
  allocate(): number {
    let index = this.#freeHint;
    for (;;) {
      if (this.#block(index) === undefined) {
        // The new block takes the first of the clusters that it counts.
        this.#createBlock(index);
        continue;
      }
      if (this.get(index) === 0) break;
      index++;
      if (index % 4096 === 0) this.#expectSane(index);
    }
    this.#freeHint = index + 1;
    this.set(index, 1);
    return this.#offsetOf(index);
  }

  /** Takes `count` free clusters side by side; returns the offset of the first. */
  allocateRun(count: number): number {
    let first = this.#freeHint;
    for (let length = 0; length < count; length++) {
      const index = first + length;
      if (this.get(index) !== 0) {
        first = index + 1;
        length = -1;
      } else if (this.#block(index) === undefined) {
        this.#createBlock(index);
        first = index + 1;
        length = -1;
      }
    }
    for (let index = first; index < first + count; index++) this.set(index, 1);
    return this.#offsetOf(first);
  }

  /** Counts of clusters far beyond the end of the file could keep a search busy for ever. */
  #expectSane(index: number): void {
    const clusters = this.#file.size() / this.#clusterBytes;
    if (index > 2 * clusters + 2 ** 20) throw corrupt(this.#file.name, 'it has no free cluster');
  }

  #offsetOf(index: number): number {
    const offset = index * this.#clusterBytes;
    if (offset >= MAX_HOST_BYTES) throw corrupt(this.#file.name, 'it has no free cluster');
    return offset;
  }

  #block(index: number): Table | undefined {
    const table = this.#metadata.refcountTable;
    const slot = Math.floor(index / this.#perBlock);
    if (slot * 8 >= table.bytes.length) return undefined;
    const offset = entryOffset(table.high(slot), table.low(slot));
    if (offset === 0) return undefined;
    if (offset % this.#clusterBytes !== 0) {
      throw corrupt(this.#file.name, 'the place of a block of reference counts cannot be');
    }
    return this.#metadata.refcountBlock(offset);
  }

  /** Makes the block for cluster `index`, in the first cluster that it counts: there are no others in use. */
  #createBlock(index: number): Table {
    const slot = Math.floor(index / this.#perBlock);
    if (slot * 8 >= this.#metadata.refcountTable.bytes.length) this.#growTable(slot + 1);
    const existing = this.#block(index);
    if (existing !== undefined) return existing;
    const offset = this.#offsetOf(slot * this.#perBlock);
    const block = this.#metadata.createRefcountBlock(offset);
    this.#setCount(block, 0, 1);
    this.#usedTo = Math.max(this.#usedTo, offset + this.#clusterBytes);
    this.#metadata.refcountTable.set(slot, highOf(offset), lowOf(offset));
    return block;
  }

  /**
   * Moves the table to where there is room for `slots` blocks: beyond every cluster that has a count
   * today. Table and blocks are durable before the header points at them.
   */
  #growTable(slots: number): void {
    const old = this.#metadata.refcountTable;
    const firstSlot = Math.max(old.bytes.length / 8, slots - 1);
    const first = firstSlot * this.#perBlock;
    const wanted = Math.ceil(slots * 1.5) + 1;
    let clusters = 0;
    let blocks = 0;
    for (let before = -1; before !== clusters + blocks; ) {
      before = clusters + blocks;
      blocks = Math.ceil((clusters + blocks) / this.#perBlock) || 1;
      clusters = Math.ceil((Math.max(wanted, firstSlot + blocks) * 8) / this.#clusterBytes);
    }
    const tableOffset = this.#offsetOf(first + blocks);
    const table = new Table(tableOffset, new Uint8Array(clusters * this.#clusterBytes));
    table.bytes.set(old.bytes);
    table.touch(0, table.bytes.length);
    for (let block = 0; block < blocks; block++) {
      const offset = this.#offsetOf(first + block);
      table.set(firstSlot + block, highOf(offset), lowOf(offset));
      this.#metadata.createRefcountBlock(offset);
    }
    this.#metadata.refcountTable = table;
    for (let index = first; index < first + blocks + clusters; index++) this.set(index, 1);
    // The new table comes into force with all that it says.
    this.#metadata.writeBack();
    this.#file.flush();
    const fields = new DataView(new ArrayBuffer(12));
    fields.setBigUint64(0, BigInt(tableOffset));
    fields.setUint32(8, clusters);
    this.#file.write(HEADER_FIELD.refcountTable, new Uint8Array(fields.buffer));
    this.#file.flush();
    for (let at = 0; at < old.bytes.length; at += this.#clusterBytes) {
      this.countDown(old.offset + at);
    }
  }

  #count(block: Table, slot: number): number {
    const { view } = block;
    switch (this.#order) {
      case 3:
        return view.getUint8(slot);
      case 4:
        return view.getUint16(slot * 2);
      case 5:
        return view.getUint32(slot * 4);
      case 6:
        return Number(view.getBigUint64(slot * 8));
      default: {
        const bits = 2 ** this.#order;
        const shift = (slot * bits) % 8;
        return (view.getUint8(Math.floor((slot * bits) / 8)) >> shift) & (2 ** bits - 1);
      }
    }
  }

  #setCount(block: Table, slot: number, count: number): void {
    const { view } = block;
    const bits = 2 ** this.#order;
    const at = Math.floor((slot * bits) / 8);
    switch (this.#order) {
      case 3:
        view.setUint8(at, count);
        break;
      case 4:
        view.setUint16(at, count);
        break;
      case 5:
        view.setUint32(at, count);
        break;
      case 6:
        view.setBigUint64(at, BigInt(count));
        break;
      default: {
        const shift = (slot * bits) % 8;
        const mask = (2 ** bits - 1) << shift;
        view.setUint8(at, (view.getUint8(at) & ~mask) | (count << shift));
      }
    }
    block.touch(at, Math.max(1, bits / 8));
  }
}
