/**
 * Compares the reference counts of an image with what really points at each cluster.
 * A count that is too low is a fault: the cluster could be given away. One that is too high is a leak.
 */
import type { RandomAccessFile } from '../random-access-file.ts';
import { bitmapClusters } from './bitmaps.ts';
import { ClusterCounts } from './cluster-counts.ts';
import { ENTRY_COPIED, entryOffset, parseMapping } from './entries.ts';
import { type Qcow2Header, readHeader } from './header.ts';
import { readSnapshots } from './snapshots.ts';

/** Faults told in words, at most. */
const MAX_TOLD = 20;
/** Clusters beyond the end of the file that may be pointed at: space that was never written. */
const MAX_BEYOND = 2 ** 20;

export interface CheckReport {
  /** in words; the first of them */
  readonly faults: readonly string[];
  readonly faultCount: number;
  /** clusters that are counted and not used */
  readonly leaks: number;
  /** clusters of the disk that hold data in this image */
  readonly allocated: number;
  /** of these, compressed ones */
  readonly compressed: number;
}

/** Where the counts should differ, for a repair. */
export interface CheckResult {
  readonly report: CheckReport;
  /** count that each cluster should have, by its number */
  readonly counts: Pick<ClusterCounts, 'get'>;
  /** clusters whose count is wrong */
  readonly wrong: readonly number[];
  /** entries whose "copied" flag is wrong: their place in the file */
  readonly flags: readonly { readonly at: number; readonly copied: boolean }[];
  /** faults that wrong counts and flags do not explain */
  readonly otherFaults: number;
}

/** The counts that an image keeps. */
export interface StoredCounts {
  /** counts in one block */
  readonly perBlock: number;
  get(cluster: number): number;
}

/** Throws `disk-corrupt` when the header or the snapshots cannot be read at all, `disk-size` as ClusterCounts does. */
export function checkQcow2(file: RandomAccessFile, stored: StoredCounts): CheckResult {
  return new Checker(file).run(stored);
}

class Checker {
  readonly #file: RandomAccessFile;
  readonly #header: Qcow2Header;
  readonly #clusterBytes: number;
  readonly #limit: number;
  readonly #counts: ClusterCounts;
  /** numbers of the blocks of counts that are there */
  readonly #countedSlots = new Set<number>();
  readonly #faults: string[] = [];
  readonly #entries: { at: number; host: number; copied: boolean }[] = [];
  #faultCount = 0;
  #allocated = 0;
  #compressed = 0;

  constructor(file: RandomAccessFile) {
    this.#file = file;
    this.#counts = new ClusterCounts(file.name);
    this.#header = readHeader(file);
    this.#clusterBytes = 2 ** this.#header.clusterBits;
    this.#limit = Math.ceil(file.size() / this.#clusterBytes) + MAX_BEYOND;
  }

  run(stored: StoredCounts): CheckResult {
    const header = this.#header;
    this.#use(0, this.#clusterBytes, 'the header');
    this.#useRefcounts();
    this.#useL1(header.l1Offset, header.l1Entries, true);
    const { snapshots, bytes } = readSnapshots(this.#file, header);
    if (bytes > 0) this.#use(header.snapshotsOffset, bytes, 'the list of snapshots');
    for (const snapshot of snapshots) {
      this.#useL1(snapshot.l1Offset, snapshot.l1Entries, false);
    }
    for (const { offset, bytes: length } of bitmapClusters(this.#file, header)) {
      this.#use(offset, length, 'a bitmap');
    }
    const otherFaults = this.#faultCount;
    return { ...this.#compare(stored), otherFaults };
  }

  #compare(stored: StoredCounts): Omit<CheckResult, 'otherFaults'> {
    const wrong: number[] = [];
    let leaks = 0;
    const fileClusters = Math.ceil(this.#file.size() / this.#clusterBytes);
    for (const cluster of this.#clustersToCompare(stored.perBlock)) {
      const found = stored.get(cluster);
      const used = this.#counts.get(cluster);
      // Beyond the end of the file nothing is taken.
      if (found === used || (used === 0 && cluster >= fileClusters)) continue;
      wrong.push(cluster);
      if (found > used) leaks++;
      else this.#tell(`cluster ${cluster} is used ${used} times and counted ${found} times`);
    }
    const flags: { at: number; copied: boolean }[] = [];
    for (const { at, host, copied } of this.#entries) {
      const should = this.#counts.get(Math.floor(host / this.#clusterBytes)) === 1;
      if (should === copied) continue;
      flags.push({ at, copied: should });
      this.#tell(`the entry at ${at} says wrongly whether its cluster is shared`);
    }
    const report = {
      faults: this.#faults,
      faultCount: this.#faultCount,
      leaks,
      allocated: this.#allocated,
      compressed: this.#compressed,
    };
    return { report, counts: this.#counts, wrong, flags };
  }

  /** Every cluster that has room for a count, and those that are used without. */
  *#clustersToCompare(perBlock: number): Generator<number> {
    for (const slot of this.#countedSlots) {
      for (let index = 0; index < perBlock; index++) yield slot * perBlock + index;
    }
    for (const cluster of this.#counts.used()) {
      if (!this.#countedSlots.has(Math.floor(cluster / perBlock))) yield cluster;
    }
  }

  #useRefcounts(): void {
    const { refcountTableOffset, refcountTableClusters } = this.#header;
    const bytes = refcountTableClusters * this.#clusterBytes;
    if (!this.#use(refcountTableOffset, bytes, 'the table of reference counts')) return;
    const table = this.#read(refcountTableOffset, bytes);
    const places = new Set<number>();
    for (let at = 0; at < bytes; at += 8) {
      const offset = entryOffset(table.getUint32(at), table.getUint32(at + 4));
      if (offset === 0) continue;
      if (places.has(offset))
        this.#tell(`the block of reference counts at ${offset} is there twice`);
      else if (this.#use(offset, this.#clusterBytes, 'a block of reference counts')) {
        this.#countedSlots.add(at / 8);
      }
      places.add(offset);
    }
  }

  /** @param isActive its flags must agree with the counts; those of snapshots mean nothing */
  #useL1(offset: number, entries: number, isActive: boolean): void {
    if (entries === 0) return;
    if (!this.#use(offset, entries * 8, 'a level 1 table')) return;
    const table = this.#read(offset, entries * 8);
    const walked = new Set<number>();
    for (let at = 0; at < entries * 8; at += 8) {
      const high = table.getUint32(at);
      const host = entryOffset(high, table.getUint32(at + 4));
      if (host === 0) continue;
      if (!this.#use(host, this.#clusterBytes, 'a level 2 table')) continue;
      const copied = (high & ENTRY_COPIED) !== 0;
      if (isActive) this.#entries.push({ at: offset + at, host, copied });
      if (walked.has(host)) this.#tell(`the level 2 table at ${host} is used twice`);
      else this.#useL2(host, isActive);
      walked.add(host);
    }
  }

  #useL2(offset: number, isActive: boolean): void {
    const { clusterBits, version } = this.#header;
    const table = this.#read(offset, this.#clusterBytes);
    for (let at = 0; at < this.#clusterBytes; at += 8) {
      const high = table.getUint32(at);
      const mapping = parseMapping(high, table.getUint32(at + 4), clusterBits, version === 3);
      switch (mapping.kind) {
        case 'invalid':
          this.#tell(`the entry at ${offset + at} points nowhere`);
          break;
        case 'compressed':
          if (isActive) this.#allocated++;
          if (isActive) this.#compressed++;
          this.#use(mapping.host, mapping.bytes, 'a compressed cluster');
          if (high & ENTRY_COPIED)
            this.#tell(`the entry at ${offset + at} is compressed and shared`);
          break;
        case 'data':
        case 'zero': {
          if (mapping.host === undefined) break;
          if (isActive && mapping.kind === 'data') this.#allocated++;
          if (!this.#use(mapping.host, this.#clusterBytes, 'a cluster of data')) break;
          const { host, copied } = mapping;
          if (isActive) this.#entries.push({ at: offset + at, host, copied });
        }
      }
    }
  }

  /** Counts the clusters of a range once more. False when it cannot be. */
  #use(offset: number, bytes: number, what: string): boolean {
    const first = Math.floor(offset / this.#clusterBytes);
    const last = Math.floor((offset + bytes - 1) / this.#clusterBytes);
    const isAligned = offset % this.#clusterBytes === 0 || what === 'a compressed cluster';
    if (!isAligned || last >= this.#limit) {
      this.#tell(`${what} is at ${offset}, where it cannot be`);
      return false;
    }
    for (let cluster = first; cluster <= last; cluster++) this.#counts.add(cluster);
    return true;
  }

  #read(offset: number, bytes: number): DataView {
    const view = new DataView(new ArrayBuffer(bytes));
    this.#file.read(offset, new Uint8Array(view.buffer));
    return view;
  }

  #tell(fault: string): void {
    this.#faultCount++;
    if (this.#faults.length < MAX_TOLD) this.#faults.push(fault);
  }
}
