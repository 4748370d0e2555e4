/** Writes an empty qcow2 image of version 3. */
import { VivariumError } from '../../util/mod.ts';
import type { ImageFormat } from '../format.ts';
import type { RandomAccessFile } from '../random-access-file.ts';
import {
  EXTENSION_BACKING_FORMAT,
  FULL_HEADER_BYTES,
  INCOMPATIBLE_COMPRESSION,
  QCOW2_MAGIC,
} from './header.ts';

export const DEFAULT_CLUSTER_BITS = 16;
const REFCOUNT_ORDER = 4;
const COUNT_BYTES = 2;

export interface CreateQcow2Options {
  /** capacity of the disk, a multiple of 512 */
  readonly bytes: number;
  /** 9 to 21; clusters of 64 KiB by default */
  readonly clusterBits?: number | undefined;
  readonly backing?: { readonly name: string; readonly format: ImageFormat } | undefined;
  readonly compression?: 'deflate' | 'zstd' | undefined;
}

/**
 * The order in the file: header, table of reference count blocks, blocks, level 1 table.
 * Throws `disk-size` for a capacity that clusters of this size cannot map.
 */
export function createQcow2(file: RandomAccessFile, options: CreateQcow2Options): void {
  const clusterBits = options.clusterBits ?? DEFAULT_CLUSTER_BITS;
  const cluster = 2 ** clusterBits;
  const l1Entries = l1EntriesFor(options.bytes, clusterBits);
  const l1Clusters = Math.max(1, Math.ceil((l1Entries * 8) / cluster));
  const perBlock = cluster / COUNT_BYTES;
  let tableClusters = 1;
  let blocks = 1;
  for (let before = 0; before !== tableClusters + blocks; ) {
    before = tableClusters + blocks;
    blocks = Math.ceil((1 + tableClusters + blocks + l1Clusters) / perBlock);
    tableClusters = Math.ceil((blocks * 8) / cluster);
  }
  const used = 1 + tableClusters + blocks + l1Clusters;

  const start = new DataView(new ArrayBuffer(used * cluster));
  const firstBlock = (1 + tableClusters) * cluster;
  for (let block = 0; block < blocks; block++) {
    start.setBigUint64(cluster + block * 8, BigInt(firstBlock + block * cluster));
  }
  for (let index = 0; index < used; index++) {
    start.setUint16(firstBlock + index * COUNT_BYTES, 1);
  }
  writeHeader(start, options, {
    clusterBits,
    l1Entries,
    l1Offset: (1 + tableClusters + blocks) * cluster,
    tableClusters,
  });
  file.truncate(0);
  file.write(0, new Uint8Array(start.buffer));
  file.flush();
}

/** Entries of the level 1 table for a disk of `bytes`. Throws `disk-size` when it would be too large. */
export function l1EntriesFor(bytes: number, clusterBits: number): number {
  const cluster = 2 ** clusterBits;
  const entries = Math.ceil(bytes / (cluster * (cluster / 8)));
  if (entries > 2 ** 22) {
    throw new VivariumError(
      'disk-size',
      `a disk of ${bytes} bytes is too large for clusters of ${cluster} bytes`,
    );
  }
  return entries;
}

interface Layout {
  readonly clusterBits: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly tableClusters: number;
}

function writeHeader(view: DataView, options: CreateQcow2Options, layout: Layout): void {
  const { backing } = options;
  const cluster = 2 ** layout.clusterBits;
  const isZstd = options.compression === 'zstd';
  view.setUint32(0, QCOW2_MAGIC);
  view.setUint32(4, 3);
  view.setUint32(20, layout.clusterBits);
  view.setBigUint64(24, BigInt(options.bytes));
  view.setUint32(36, layout.l1Entries);
  view.setBigUint64(40, BigInt(layout.l1Offset));
  view.setBigUint64(48, BigInt(cluster));
  view.setUint32(56, layout.tableClusters);
  view.setBigUint64(72, isZstd ? INCOMPATIBLE_COMPRESSION : 0n);
  view.setUint32(96, REFCOUNT_ORDER);
  view.setUint32(100, FULL_HEADER_BYTES);
  view.setUint8(104, isZstd ? 1 : 0);
  let at = FULL_HEADER_BYTES;
  if (backing !== undefined) {
    const format = new TextEncoder().encode(backing.format);
    view.setUint32(at, EXTENSION_BACKING_FORMAT);
    view.setUint32(at + 4, format.length);
    new Uint8Array(view.buffer, at + 8).set(format);
    at += 8 + Math.ceil(format.length / 8) * 8;
  }
  at += 8; // the end of the extensions: zeroes
  if (backing === undefined) return;
  const name = new TextEncoder().encode(backing.name);
  if (name.length > 1023 || at + name.length > cluster) {
    throw new VivariumError('disk-name', 'the name of the image behind is too long');
  }
  view.setBigUint64(8, BigInt(at));
  view.setUint32(16, name.length);
  new Uint8Array(view.buffer, at).set(name);
}
