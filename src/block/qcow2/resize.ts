/** Changes the capacity of a qcow2 image. */
import { VivariumError } from '../../util/mod.ts';
import type { RandomAccessFile } from '../random-access-file.ts';
import { l1EntriesFor } from './create.ts';
import { HEADER_FIELD } from './header.ts';
import type { Qcow2Image } from './image.ts';
import { Table } from './metadata.ts';

/**
 * Lets the disk have `bytes`; what is beyond a smaller size is lost. `behindBytes` is the size of the
 * image behind, whose end must not show in a disk that grows. The image is to be closed afterwards.
 */
export function resizeQcow2(
  file: RandomAccessFile,
  image: Qcow2Image,
  bytes: number,
  behindBytes: number,
): void {
  const { header } = image;
  const isShrinking = bytes < image.bytes;
  if (header.snapshotCount > 0 && (isShrinking || header.version === 2)) {
    throw new VivariumError(
      'disk-snapshots',
      `the disk image ${file.name} has snapshots, which its new size would not fit`,
    );
  }
  const entries = l1EntriesFor(bytes, header.clusterBits);
  if (isShrinking) image.writeZeroes(bytes, image.bytes - bytes);
  const l1 = entries > header.l1Entries ? moveL1(image, entries) : undefined;
  image.metadata.flush();
  writeHeader(file, bytes, l1 ?? { entries: header.l1Entries, offset: header.l1Offset });
  if (l1 !== undefined && header.l1Entries > 0) {
    for (let at = 0; at < header.l1Entries * 8; at += image.clusterBytes) {
      image.refcounts.countDown(header.l1Offset + at);
    }
  }
  const shown = Math.min(bytes, behindBytes);
  if (shown > image.bytes) image.writeZeroes(image.bytes, shown - image.bytes);
  image.metadata.flush();
}

/** Copies the level 1 table to where there is room for `entries`. */
function moveL1(image: Qcow2Image, entries: number): { entries: number; offset: number } {
  const clusters = Math.ceil((entries * 8) / image.clusterBytes);
  const offset = image.refcounts.allocateRun(clusters);
  const table = new Table(offset, new Uint8Array(clusters * image.clusterBytes));
  table.bytes.set(image.metadata.l1.bytes);
  table.touch(0, table.bytes.length);
  image.metadata.writeBack();
  image.metadata.l1 = table;
  return { entries, offset };
}

/** The capacity and the place of level 1 lie side by side: they change in one write. */
function writeHeader(
  file: RandomAccessFile,
  bytes: number,
  l1: { entries: number; offset: number },
): void {
  const fields = new DataView(new ArrayBuffer(24));
  fields.setBigUint64(0, BigInt(bytes));
  fields.setUint32(12, l1.entries);
  fields.setBigUint64(16, BigInt(l1.offset));
  file.write(HEADER_FIELD.bytes, new Uint8Array(fields.buffer));
  file.flush();
}
