/**
 * Writes cpio archives in the "newc" format, which Linux unpacks as initial RAM disk
 * (Linux Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 *   header: "070701", then 13 fields of 8 hexadecimal digits
 *   name:   NUL-terminated, header and name padded together to 4 bytes
 *   data:   padded to 4 bytes
 *
 * The output depends on the entries alone: times are zero, owners are root, inodes are counted.
 * Left out: hard links and checksums ("070702").
 */
import { VivariumError } from '../util/mod.ts';

/** One file of the tree. `path` has no leading slash; a parent comes before its children. */
export type TreeEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode?: number;
      readonly data: Uint8Array | string;
    }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'character-device' | 'block-device';
      readonly path: string;
      readonly mode?: number;
      readonly major: number;
      readonly minor: number;
    };

// File types in the upper bits of the mode (POSIX sys/stat.h, values as in Linux).
const fileTypes = {
  directory: 0o040000,
  file: 0o100000,
  symlink: 0o120000,
  'character-device': 0o020000,
  'block-device': 0o060000,
} as const;

const defaultModes = {
  directory: 0o755,
  file: 0o644,
  symlink: 0o777,
  'character-device': 0o600,
  'block-device': 0o600,
} as const;

const HEADER_BYTES = 6 + 13 * 8;
const MAX_FILE_BYTES = 0xffff_ffff;
const encoder = new TextEncoder();

/** Packs a tree into one archive. Entries keep their order. */
export function writeCpio(entries: readonly TreeEntry[]): Uint8Array<ArrayBuffer> {
  const members = entries.map((entry, index) => member(entry, index + 1));
  members.push(trailer());
  const total = members.reduce(
    (sum, each) => sum + each.header.length + align4(each.data.length),
    0,
  );
  const archive = new Uint8Array(total);
  let offset = 0;
  for (const { header, data } of members) {
    archive.set(header, offset);
    archive.set(data, offset + header.length);
    offset += header.length + align4(data.length);
  }
  return archive;
}

interface Member {
  /** header and name, padded */
  readonly header: Uint8Array;
  readonly data: Uint8Array;
}

function member(entry: TreeEntry, inode: number): Member {
  if (!/^[^/\0][^\0]*$/.test(entry.path) || entry.path.endsWith('/')) {
    throw new VivariumError(
      'cpio-path',
      `'${entry.path}' cannot be the name of a file in a RAM disk`,
    );
  }
  const permissions = 'mode' in entry ? entry.mode : undefined;
  const isDevice = entry.kind === 'character-device' || entry.kind === 'block-device';
  const data = dataOf(entry);
  const header = packHeader(entry.path, {
    inode,
    mode: fileTypes[entry.kind] | (permissions ?? defaultModes[entry.kind]),
    links: entry.kind === 'directory' ? 2 : 1,
    size: data.length,
    deviceMajor: isDevice ? entry.major : 0,
    deviceMinor: isDevice ? entry.minor : 0,
  });
  return { header, data };
}

function dataOf(entry: TreeEntry): Uint8Array {
  if (entry.kind === 'symlink') return encoder.encode(entry.target);
  if (entry.kind !== 'file') return new Uint8Array(0);
  const data = typeof entry.data === 'string' ? encoder.encode(entry.data) : entry.data;
  if (data.length > MAX_FILE_BYTES) {
    throw new VivariumError(
      'cpio-size',
      `'${entry.path}' is too large for a RAM disk (over 4 GiB)`,
    );
  }
  return data;
}

function trailer(): Member {
  const fields = { inode: 0, mode: 0, links: 1, size: 0, deviceMajor: 0, deviceMinor: 0 };
  return { header: packHeader('TRAILER!!!', fields), data: new Uint8Array(0) };
}

function packHeader(
  path: string,
  fields: {
    inode: number;
    mode: number;
    links: number;
    size: number;
    deviceMajor: number;
    deviceMinor: number;
  },
): Uint8Array {
  const name = encoder.encode(`${path}\0`);
  const numbers = [
    fields.inode,
    fields.mode,
    0, // uid
    0, // gid
    fields.links,
    0, // mtime
    fields.size,
    0, // device that holds the file: major
    0, // and minor
    fields.deviceMajor,
    fields.deviceMinor,
    name.length,
    0, // checksum, unused in this format
  ];
  const text = `070701${numbers.map((n) => n.toString(16).toUpperCase().padStart(8, '0')).join('')}`;
  const header = new Uint8Array(align4(HEADER_BYTES + name.length));
  header.set(encoder.encode(text));
  header.set(name, HEADER_BYTES);
  return header;
}

function align4(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
