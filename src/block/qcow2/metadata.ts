/**
 * The tables of an image, kept in memory and written back in an order that leaves the image valid
 * whenever the process is killed or the host loses power:
 *
 *   1. reference counts that grew, a barrier if the table of their blocks grew, that table, and level 2
 *      tables to which nothing points yet
 *   2. (a barrier)
 *   3. level 2 tables in use, the level 1 table
 *   4. (a barrier, at every flush of the guest)
 *   5. only now are clusters that nothing points at any more counted down, and used again
 *
 * A crash in between loses what the guest had not flushed, and leaks clusters at worst.
 */
import type { RandomAccessFile } from '../random-access-file.ts';
import { corrupt } from './header.ts';

/** Tables that are kept at most, in bytes. */
const CACHE_BYTES = 16 * 2 ** 20;
const WRITE_ALIGNMENT = 512;

/** A table in memory, with the part of it that differs from the file. */
export class Table {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** nothing in the file points at it yet */
  isNew = false;
  #dirtyFrom = Number.POSITIVE_INFINITY;
  #dirtyTo = 0;

  constructor(offset: number, bytes: Uint8Array) {
    this.offset = offset;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isDirty(): boolean {
    return this.#dirtyFrom < this.#dirtyTo;
  }

  /** Upper and lower half of entry `index` of 64 bits. */
  high(index: number): number {
    return this.view.getUint32(index * 8);
  }
  low(index: number): number {
    return this.view.getUint32(index * 8 + 4);
  }

  set(index: number, high: number, low: number): void {
    this.view.setUint32(index * 8, high);
    this.view.setUint32(index * 8 + 4, low);
    this.touch(index * 8, 8);
  }

  /** Marks bytes as changed. */
  touch(at: number, bytes: number): void {
    this.#dirtyFrom = Math.min(this.#dirtyFrom, at);
    this.#dirtyTo = Math.max(this.#dirtyTo, at + bytes);
  }

  write(file: RandomAccessFile): void {
    if (!this.isDirty) return;
    const from = Math.floor(this.#dirtyFrom / WRITE_ALIGNMENT) * WRITE_ALIGNMENT;
    const to = Math.min(
      this.bytes.length,
      Math.ceil(this.#dirtyTo / WRITE_ALIGNMENT) * WRITE_ALIGNMENT,
    );
    file.write(this.offset + from, this.bytes.subarray(from, to));
    this.#dirtyFrom = Number.POSITIVE_INFINITY;
    this.#dirtyTo = 0;
  }
}

export class Metadata {
  readonly #file: RandomAccessFile;
  readonly #clusterBytes: number;
  readonly #limit: number;
  #countDown: (offset: number) => void = () => {};
  readonly #l2 = new Map<number, Table>();
  readonly #refcounts = new Map<number, Table>();
  /** The level 1 table and the table of reference count blocks. */
  l1: Table;
  refcountTable: Table;
  /** clusters to count down once nothing durable points at them */
  #released: number[] = [];
  #hasUnsyncedWrites = false;

  constructor(file: RandomAccessFile, clusterBytes: number, l1: Table, refcountTable: Table) {
    this.#file = file;
    this.#clusterBytes = clusterBytes;
    this.#limit = Math.max(16, Math.floor(CACHE_BYTES / clusterBytes));
    this.l1 = l1;
    this.refcountTable = refcountTable;
  }

  /** Says how a cluster is counted down. */
  onReleased(countDown: (offset: number) => void): void {
    this.#countDown = countDown;
  }

  /** A level 2 table. It stays valid until `trim`. */
  l2(offset: number): Table {
    return this.#get(this.#l2, offset);
  }

  refcountBlock(offset: number): Table {
    return this.#get(this.#refcounts, offset);
  }

  /** A table at a place that was just allocated, with these contents. */
  createL2(offset: number, contents?: Uint8Array): Table {
    const table = this.#create(this.#l2, offset, contents);
    table.isNew = true;
    return table;
  }

  createRefcountBlock(offset: number): Table {
    return this.#create(this.#refcounts, offset);
  }

  /** Gives up the cluster at `offset`: counted down when no crash can bring back what pointed at it. */
  release(offset: number): void {
    this.#released.push(offset);
  }

  /** Keeps the cache within its limit. Tables that were handed out before are no longer valid. */
  trim(): void {
    for (const tables of [this.#l2, this.#refcounts]) {
      if (tables.size <= this.#limit) continue;
      if ([...tables.values()].some((table) => table.isDirty)) this.writeBack();
      for (const offset of tables.keys()) {
        if (tables.size <= this.#limit / 2) break;
        tables.delete(offset);
      }
    }
  }

  /** Writes everything that changed, in the order above; not durable before `file.flush`. */
  writeBack(): void {
    for (const block of this.#refcounts.values()) this.#write(block);
    // A block of counts counts itself: it is durable before the table points at it.
    if (this.refcountTable.isDirty && this.#hasUnsyncedWrites) this.#barrier();
    this.#write(this.refcountTable);
    const tables = [...this.#l2.values()].filter((table) => table.isDirty);
    const fresh = tables.filter((table) => table.isNew);
    for (const table of fresh) this.#write(table);
    if (tables.length === fresh.length && !this.l1.isDirty) return;
    if (this.#hasUnsyncedWrites) this.#barrier();
    for (const table of tables) this.#write(table);
    this.#write(this.l1);
    for (const table of fresh) table.isNew = false;
  }

  /** Makes everything durable. */
  flush(): void {
    this.writeBack();
    this.#file.flush();
    this.#hasUnsyncedWrites = false;
    const released = this.#released;
    this.#released = [];
    for (const offset of released) this.#countDown(offset);
  }

  /** As `flush`, and writes the last counts too. */
  close(): void {
    this.flush();
    this.writeBack();
  }

  /** Data were written that the tables are going to point at. */
  dataWritten(): void {
    this.#hasUnsyncedWrites = true;
  }

  #barrier(): void {
    this.#file.flush();
    this.#hasUnsyncedWrites = false;
  }

  #write(table: Table): void {
    if (!table.isDirty) return;
    table.write(this.#file);
    this.#hasUnsyncedWrites = true;
  }

  #get(tables: Map<number, Table>, offset: number): Table {
    const known = tables.get(offset);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(this.#clusterBytes);
    this.#file.read(offset, bytes);
    const table = new Table(offset, bytes);
    tables.set(offset, table);
    return table;
  }

  #create(tables: Map<number, Table>, offset: number, contents?: Uint8Array): Table {
    if (tables.has(offset)) throw corrupt(this.#file.name, 'a cluster in use is counted as free');
    const bytes = new Uint8Array(this.#clusterBytes);
    if (contents !== undefined) bytes.set(contents);
    const table = new Table(offset, bytes);
    table.touch(0, bytes.length);
    tables.set(offset, table);
    return table;
  }
}
