/** Puts right the reference counts of an image, and the flags that depend on them. */
import { VivariumError } from '../../util/mod.ts';
import type { RandomAccessFile } from '../random-access-file.ts';
import { type CheckReport, type CheckResult, checkQcow2 } from './check.ts';
import type { ImageCodecs } from './codecs.ts';
import { ENTRY_COPIED } from './entries.ts';
import { HEADER_FIELD, INCOMPATIBLE_CORRUPT, INCOMPATIBLE_DIRTY, readHeader } from './header.ts';
import { Qcow2Image } from './image.ts';

/** Checks an image that nobody else uses. Throws when it cannot be read at all. */
export function checkImage(file: RandomAccessFile, codecs: ImageCodecs): CheckReport {
  return check(file, codecs).report;
}

/**
 * Repairs what can be repaired without loss: counts that are too low, then leaks, then flags. Returns
 * the report of a second check. Throws `disk-corrupt` for faults of other kinds.
 */
export function repairImage(file: RandomAccessFile, codecs: ImageCodecs): CheckReport {
  const { wrong, counts, flags, otherFaults } = check(file, codecs);
  if (otherFaults > 0) {
    throw new VivariumError(
      'disk-corrupt',
      `the disk image ${file.name} has faults that cannot be repaired without loss; ` +
        'read what can be read of it with: viv disk convert',
    );
  }
  const image = new Qcow2Image({ file, codecs });
  const { refcounts, metadata } = image;
  const should = (cluster: number) => counts.get(cluster);
  const isTooLow = (cluster: number) => refcounts.get(cluster) < should(cluster);
  for (const cluster of wrong.filter(isTooLow)) {
    if (!refcounts.hasBlock(cluster)) {
      throw new VivariumError(
        'disk-corrupt',
        `the disk image ${file.name} has lost reference counts; repair it with: qemu-img check -r all`,
      );
    }
    refcounts.set(cluster, should(cluster));
  }
  metadata.flush();
  for (const cluster of wrong) refcounts.set(cluster, should(cluster));
  metadata.flush();
  for (const { at, copied } of flags) setCopied(file, at, copied);
  clearMarks(file);
  file.flush();
  return check(file, codecs).report;
}

function check(file: RandomAccessFile, codecs: ImageCodecs): CheckResult {
  const { refcounts, metadata } = new Qcow2Image({ file: readOnlyView(file), codecs });
  const get = (cluster: number) => {
    if (cluster % 4096 === 0) metadata.trim();
    return refcounts.get(cluster);
  };
  return checkQcow2(file, { perBlock: refcounts.perBlock, get });
}

function setCopied(file: RandomAccessFile, at: number, copied: boolean): void {
  const entry = new DataView(new ArrayBuffer(4));
  file.read(at, new Uint8Array(entry.buffer));
  const high = entry.getUint32(0);
  entry.setUint32(0, copied ? high | ENTRY_COPIED : high & ~ENTRY_COPIED);
  file.write(at, new Uint8Array(entry.buffer));
}

/** Takes away the marks of an image that was not closed properly. */
function clearMarks(file: RandomAccessFile): void {
  const { version, incompatible } = readHeader(file);
  if (version === 2) return;
  const field = new DataView(new ArrayBuffer(8));
  field.setBigUint64(0, incompatible & ~(INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT));
  file.write(HEADER_FIELD.incompatible, new Uint8Array(field.buffer));
}

function readOnlyView(file: RandomAccessFile): RandomAccessFile {
  return {
    name: file.name,
    isReadOnly: true,
    size: () => file.size(),
    read: (offset, target) => file.read(offset, target),
    write() {},
    truncate() {},
    flush() {},
    allocatedBytes: () => file.allocatedBytes(),
    close() {},
  };
}
