/**
 * The list of internal snapshots. QEMU "qcow2" format description, section "Snapshots".
 *
 * ```
 * 00 level 1: place (8), entries (4)   0c lengths of id (2), name (2)   10 time: s (4), ns (4)
 * 18 guest time in ns (8)   20 bytes of machine state (4)   24 length of extra data (4)
 * 28 extra data: bytes of machine state (8), capacity (8)   then id and name, padded to 8
 * ```
 */
import { VivariumError } from '../../util/mod.ts';
import type { RandomAccessFile } from '../random-access-file.ts';
import { checkSizes, corrupt, MAX_L1_ENTRIES, type Qcow2Header, readHeader } from './header.ts';

const FIXED_BYTES = 40;
const MAX_EXTRA_BYTES = 1024;

export interface Qcow2Snapshot {
  readonly id: string;
  readonly name: string;
  /** seconds since 1970 */
  readonly createdAt: number;
  /** of the machine's memory, where that was saved too */
  readonly stateBytes: number;
  /** capacity of the disk then; older images do not tell */
  readonly bytes: number | undefined;
  readonly l1Offset: number;
  readonly l1Entries: number;
}

export interface SnapshotTable {
  readonly snapshots: readonly Qcow2Snapshot[];
  /** length of the table in the file */
  readonly bytes: number;
}

/** Throws `disk-corrupt`. */
export function readSnapshots(file: RandomAccessFile, header: Qcow2Header): SnapshotTable {
  const snapshots: Qcow2Snapshot[] = [];
  const end = file.size();
  let at = header.snapshotsOffset;
  const damaged = () => corrupt(file.name, 'its list of snapshots cannot be read');
  for (let count = 0; count < header.snapshotCount; count++) {
    if (at + FIXED_BYTES > end) throw damaged();
    const fixed = new DataView(new ArrayBuffer(FIXED_BYTES));
    file.read(at, new Uint8Array(fixed.buffer));
    const idBytes = fixed.getUint16(12);
    const nameBytes = fixed.getUint16(14);
    const extraBytes = fixed.getUint32(36);
    const l1Entries = fixed.getUint32(8);
    if (extraBytes > MAX_EXTRA_BYTES || l1Entries > MAX_L1_ENTRIES) throw damaged();
    const rest = new Uint8Array(extraBytes + idBytes + nameBytes);
    file.read(at + FIXED_BYTES, rest);
    const extra = new DataView(rest.buffer, 0, extraBytes);
    const text = (from: number, length: number) =>
      new TextDecoder().decode(rest.subarray(from, from + length));
    snapshots.push({
      id: text(extraBytes, idBytes),
      name: text(extraBytes + idBytes, nameBytes),
      createdAt: fixed.getUint32(16),
      stateBytes: extraBytes >= 8 ? Number(extra.getBigUint64(0)) : fixed.getUint32(32),
      bytes: extraBytes >= 16 ? Number(extra.getBigUint64(8)) : undefined,
      l1Offset: Number(fixed.getBigUint64(0)),
      l1Entries,
    });
    at += Math.ceil((FIXED_BYTES + rest.length) / 8) * 8;
  }
  return { snapshots, bytes: at - header.snapshotsOffset };
}

/** The header of the disk as it was at the snapshot of this name, or of this id. Throws `disk-snapshots`, `disk-corrupt`. */
export function headerOfSnapshot(file: RandomAccessFile, wanted: string): Qcow2Header {
  const header = readHeader(file);
  const { snapshots } = readSnapshots(file, header);
  const found =
    snapshots.find(({ name }) => name === wanted) ?? snapshots.find(({ id }) => id === wanted);
  if (found === undefined) throw noSnapshot(file.name, wanted);
  const { l1Offset, l1Entries, bytes = header.bytes } = found;
  if (l1Offset % 2 ** header.clusterBits !== 0 || l1Offset > Number.MAX_SAFE_INTEGER) {
    throw corrupt(file.name, 'the place of a snapshot cannot be');
  }
  const then = { ...header, l1Offset, l1Entries, bytes };
  checkSizes(file.name, then);
  return then;
}

export function noSnapshot(name: string, wanted: string): VivariumError {
  return new VivariumError(
    'disk-snapshots',
    `the disk image ${name} has no snapshot ${JSON.stringify(wanted)}; viv disk info lists those it has`,
  );
}
