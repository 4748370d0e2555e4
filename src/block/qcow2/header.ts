/**
 * The header of a qcow2 image. QEMU "qcow2" format description, sections "Header" and "Header
 * extensions". All numbers are big-endian.
 *
 * ```
 * 00 magic "QFI\xfb"    04 version      08 backing name: place (8), length (4)   14 cluster bits
 * 18 virtual size (8)   20 encryption   24 level 1: entries (4), place (8)
 * 30 reference counts: place of the table (8), its clusters (4)   3c snapshots: count (4), place (8)
 * 48 incompatible (8)   50 compatible (8)   58 autoclear features (8)   60 width of a count, 2^n bits
 * 64 header length      68 compression: 0 deflate, 1 zstd
 * then extensions: kind (4), length (4), data padded to 8
 * ```
 */
import { VivariumError } from '../../util/mod.ts';
import type { ImageFormat } from '../format.ts';
import type { RandomAccessFile } from '../random-access-file.ts';

export const QCOW2_MAGIC = 0x5146_49fb;
const V2_BYTES = 72;
const V3_BYTES = 104;
export const FULL_HEADER_BYTES = 112;

export const INCOMPATIBLE_DIRTY = 1n << 0n;
export const INCOMPATIBLE_CORRUPT = 1n << 1n;
export const INCOMPATIBLE_COMPRESSION = 1n << 3n;
const UNDERSTOOD = INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT | INCOMPATIBLE_COMPRESSION;
const incompatibleNames: readonly (readonly [bigint, string])[] = [
  [1n << 2n, 'an external data file'],
  [1n << 4n, 'extended level 2 entries'],
];

export const EXTENSION_END = 0;
export const EXTENSION_BACKING_FORMAT = 0xe279_2aca;

/** Places of the fields that change in an image's life. */
export const HEADER_FIELD = {
  bytes: 0x18,
  l1Entries: 0x24,
  refcountTable: 0x30,
  incompatible: 0x48,
  autoclear: 0x58,
} as const;

const MIN_CLUSTER_BITS = 9;
const MAX_CLUSTER_BITS = 21;
const MAX_NAME_BYTES = 1023;
/** 32 MiB of level 1 and 8 MiB of reference count table, as QEMU has it */
export const MAX_L1_ENTRIES = 2 ** 22;
const MAX_REFCOUNT_TABLE_BYTES = 2 ** 23;
const MAX_SNAPSHOTS = 65_536;

export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  /** where extensions begin */
  readonly headerBytes: number;
  /** capacity of the disk */
  readonly bytes: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  /** a count takes 2^n bits */
  readonly refcountOrder: number;
  readonly snapshotCount: number;
  readonly snapshotsOffset: number;
  readonly incompatible: bigint;
  readonly autoclear: bigint;
  readonly compression: 'deflate' | 'zstd';
  readonly backing: BackingName | undefined;
}

/** The image behind, as it is named in the header. */
export interface BackingName {
  readonly name: string;
  readonly format: ImageFormat | undefined;
}

/** Throws a `disk-corrupt` error about the image `name`. */
export function corrupt(name: string, what: string): VivariumError {
  return new VivariumError('disk-corrupt', `the disk image ${name} is damaged: ${what}`);
}

/** Reads and checks the header; throws `disk-corrupt` or `disk-format`. */
export function readHeader(file: RandomAccessFile): Qcow2Header {
  const head = new Uint8Array(FULL_HEADER_BYTES);
  file.read(0, head);
  const view = new DataView(head.buffer);
  const { name } = file;
  if (view.getUint32(0) !== QCOW2_MAGIC) throw corrupt(name, 'it is no qcow2 image');
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) {
    throw new VivariumError('disk-format', `${name} is qcow2 of the unknown version ${version}`);
  }
  const clusterBits = view.getUint32(20);
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    throw corrupt(name, `its cluster size 2^${clusterBits} cannot be`);
  }
  if (view.getUint32(32) !== 0) {
    throw new VivariumError('disk-format', `${name} is encrypted, which Vivarium does not read`);
  }
  const cluster = 2 ** clusterBits;
  const place = (at: number, what: string): number => {
    const offset = Number(view.getBigUint64(at));
    if (offset % cluster !== 0 || offset > Number.MAX_SAFE_INTEGER) {
      throw corrupt(name, `the place of its ${what} cannot be`);
    }
    return offset;
  };
  const isV3 = version === 3;
  const incompatible = isV3 ? view.getBigUint64(HEADER_FIELD.incompatible) : 0n;
  refuseUnknown(name, incompatible);
  const headerBytes = isV3 ? view.getUint32(100) : V2_BYTES;
  if (
    headerBytes < (isV3 ? V3_BYTES : V2_BYTES) ||
    headerBytes > cluster ||
    headerBytes % 8 !== 0
  ) {
    throw corrupt(name, 'the length of its header cannot be');
  }
  const compressionType = headerBytes > V3_BYTES ? (head[104] as number) : 0;
  if (compressionType > 1) {
    throw new VivariumError('disk-format', `${name} uses an unknown compression`);
  }
  const header: Qcow2Header = {
    version,
    clusterBits,
    headerBytes,
    bytes: Number(view.getBigUint64(HEADER_FIELD.bytes)),
    l1Entries: view.getUint32(HEADER_FIELD.l1Entries),
    l1Offset: place(40, 'level 1 table'),
    refcountTableOffset: place(HEADER_FIELD.refcountTable, 'reference counts'),
    refcountTableClusters: view.getUint32(56),
    refcountOrder: isV3 ? view.getUint32(96) : 4,
    snapshotCount: view.getUint32(60),
    snapshotsOffset: place(64, 'snapshots'),
    incompatible,
    autoclear: isV3 ? view.getBigUint64(HEADER_FIELD.autoclear) : 0n,
    compression: compressionType === 1 ? 'zstd' : 'deflate',
    backing: readBacking(file, view, headerBytes, cluster),
  };
  checkSizes(name, header);
  return header;
}

function refuseUnknown(name: string, incompatible: bigint): void {
  const unknown = incompatible & ~UNDERSTOOD;
  if (unknown === 0n) return;
  const what = incompatibleNames.find(([bit]) => (unknown & bit) !== 0n)?.[1] ?? 'unknown features';
  throw new VivariumError('disk-format', `${name} uses ${what}, which Vivarium does not read`);
}

/** Throws `disk-corrupt` for a disk or tables of sizes that cannot be. */
export function checkSizes(name: string, header: Qcow2Header): void {
  const cluster = 2 ** header.clusterBits;
  const covered = header.l1Entries * (cluster / 8) * cluster;
  if (header.bytes > Number.MAX_SAFE_INTEGER || header.l1Entries > MAX_L1_ENTRIES) {
    throw corrupt(name, 'its size cannot be');
  }
  if (covered < header.bytes) throw corrupt(name, 'its level 1 table is too small');
  if (header.refcountOrder > 6) throw corrupt(name, 'the width of its reference counts cannot be');
  if (header.refcountTableClusters * cluster > MAX_REFCOUNT_TABLE_BYTES) {
    throw corrupt(name, 'its table of reference counts is too large');
  }
  if (header.refcountTableClusters === 0) throw corrupt(name, 'it has no reference counts');
  if (header.snapshotCount > MAX_SNAPSHOTS) throw corrupt(name, 'it has too many snapshots');
}

function readBacking(
  file: RandomAccessFile,
  view: DataView,
  headerBytes: number,
  cluster: number,
): BackingName | undefined {
  const offset = Number(view.getBigUint64(8));
  const length = view.getUint32(16);
  if (offset === 0 || length === 0) return undefined;
  if (length > MAX_NAME_BYTES || offset + length > cluster) {
    throw corrupt(file.name, 'the name of the image behind it cannot be');
  }
  const bytes = new Uint8Array(length);
  file.read(offset, bytes);
  const format = extensionIn(file, headerBytes, offset, EXTENSION_BACKING_FORMAT);
  return {
    name: new TextDecoder().decode(bytes),
    format: format && knownFormat(file.name, new TextDecoder().decode(format.subarray(0, 16))),
  };
}

/** The contents of an extension, or undefined when the image has none of that kind. */
export function findExtension(
  file: RandomAccessFile,
  header: Qcow2Header,
  wanted: number,
): Uint8Array | undefined {
  return extensionIn(file, header.headerBytes, 2 ** header.clusterBits, wanted);
}

/** Looks through the extensions from `start`, which end before `end`. */
function extensionIn(
  file: RandomAccessFile,
  start: number,
  end: number,
  wanted: number,
): Uint8Array | undefined {
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  let at = start;
  while (at + 8 <= end) {
    file.read(at, head);
    const kind = view.getUint32(0);
    const length = view.getUint32(4);
    if (kind === EXTENSION_END) return undefined;
    if (at + 8 + length > end) throw corrupt(file.name, 'an extension of its header is too long');
    if (kind === wanted) {
      const contents = new Uint8Array(length);
      file.read(at + 8, contents);
      return contents;
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return undefined;
}

function knownFormat(name: string, format: string): ImageFormat {
  if (format === 'raw' || format === 'qcow2') return format;
  if (format === 'file' || format === 'host_device') return 'raw';
  const shown = format.replace(/[^\w-]/g, '?');
  throw new VivariumError(
    'disk-format',
    `${name} stands on an image of the format ${shown}, which Vivarium does not read`,
  );
}
