/**
 * Where an image keeps its bitmaps, which belong to backup tools. Only their places matter here.
 * QEMU "qcow2" format description, section "Bitmaps".
 *
 * ```
 * extension   0 count (4)   8 directory: bytes (8), place (8)
 * directory   0 table: place (8), entries (4)   c flags (4)   10 kind, granularity   12 length of
 *             name (2)   14 length of extra data (4)   then extra data and name, padded to 8
 * table       63:56 reserved   55:9 place   0 all ones
 * ```
 */
import type { RandomAccessFile } from '../random-access-file.ts';
import { entryOffset } from './entries.ts';
import { corrupt, findExtension, type Qcow2Header } from './header.ts';

const EXTENSION_BITMAPS = 0x2385_2875;
const AUTOCLEAR_BITMAPS = 1n << 0n;
const DIRECTORY_ENTRY_BYTES = 24;
const MAX_DIRECTORY_BYTES = 2 ** 20;
const MAX_TABLE_ENTRIES = 2 ** 22;

/** Ranges of the file that bitmaps take, as long as they are up to date. */
export function* bitmapClusters(
  file: RandomAccessFile,
  header: Qcow2Header,
): Generator<{ offset: number; bytes: number }> {
  if ((header.autoclear & AUTOCLEAR_BITMAPS) === 0n) return;
  const extension = findExtension(file, header, EXTENSION_BITMAPS);
  if (extension === undefined || extension.length < 24) return;
  const damaged = () => corrupt(file.name, 'its bitmaps cannot be read');
  const view = new DataView(extension.buffer, extension.byteOffset, extension.length);
  const bytes = Number(view.getBigUint64(8));
  const offset = Number(view.getBigUint64(16));
  if (bytes > MAX_DIRECTORY_BYTES) throw damaged();
  yield { offset, bytes };
  const directory = readView(file, offset, bytes);
  let at = 0;
  for (let left = view.getUint32(0); left > 0; left--) {
    if (at + DIRECTORY_ENTRY_BYTES > bytes) throw damaged();
    const tableOffset = Number(directory.getBigUint64(at));
    const entries = directory.getUint32(at + 8);
    if (entries > MAX_TABLE_ENTRIES) throw damaged();
    yield { offset: tableOffset, bytes: entries * 8 };
    const table = readView(file, tableOffset, entries * 8);
    for (let entry = 0; entry < entries * 8; entry += 8) {
      const place = entryOffset(table.getUint32(entry), table.getUint32(entry + 4));
      if (place !== 0) yield { offset: place, bytes: 2 ** header.clusterBits };
    }
    const rest = directory.getUint16(at + 18) + directory.getUint32(at + 20);
    at += Math.ceil((DIRECTORY_ENTRY_BYTES + rest) / 8) * 8;
  }
}

function readView(file: RandomAccessFile, offset: number, bytes: number): DataView {
  const view = new DataView(new ArrayBuffer(bytes));
  file.read(offset, new Uint8Array(view.buffer));
  return view;
}
