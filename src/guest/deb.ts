/**
 * Reads Debian packages, deb(5): an `ar` archive of debian-binary, control.tar.* and data.tar.*.
 *
 *   "!<arch>\n", then members: name 16, mtime 12, uid 6, gid 6, mode 8, size 10 (decimal text),
 *   end marker "`\n"; the data follow, padded to an even offset
 *
 * Left out: the control archive, and uncompressed long member names, which packages do not use.
 */
import { unpackTar } from 'modern-tar';
import { CompressionError, decompress, VivariumError } from '../util/mod.ts';

const AR_MAGIC = '!<arch>\n';
const AR_HEADER_BYTES = 60;
const AR_HEADER_END = '`\n';
/** No package of a guest comes near this size; it bounds what a damaged one makes us allocate. */
const MAX_UNPACKED_BYTES = 2 ** 30;

/**
 * Takes files out of a package. `wanted` sees each path as `boot/vmlinuz-6.1`, without a leading
 * `./`; the result is by the same paths, in the order of the package. Links and directories are
 * passed over. Throws a `VivariumError` with code `package-damaged`.
 */
export async function extractDeb(
  deb: Uint8Array,
  wanted: (path: string) => boolean,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const data = arMembers(deb).find(({ name }) => name.startsWith('data.tar'));
  if (!data) throw damaged('it has no data');
  const tar = await unpackData(data);
  const entries = await unpackTar(tar, {
    strict: true,
    filter: (header) => header.type === 'file' && wanted(plainPath(header.name)),
  }).catch((cause: unknown) => {
    throw damaged('its files are not a tar archive', cause);
  });
  return new Map(
    entries.map(({ header, data }) => [plainPath(header.name), data ?? new Uint8Array(0)]),
  );
}

interface ArMember {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function arMembers(archive: Uint8Array): ArMember[] {
  if (ascii(archive, 0, AR_MAGIC.length) !== AR_MAGIC) throw damaged('it is no package at all');
  const members: ArMember[] = [];
  let offset = AR_MAGIC.length;
  while (offset + AR_HEADER_BYTES <= archive.length) {
    const size = ascii(archive, offset + 48, 10).trim();
    const start = offset + AR_HEADER_BYTES;
    const end = start + Number(size);
    if (!/^\d+$/.test(size) || ascii(archive, start - 2, 2) !== AR_HEADER_END) {
      throw damaged('its index is broken');
    }
    if (end > archive.length) throw damaged('it ends too early');
    const name = ascii(archive, offset, 16).trim().replace(/\/$/, '');
    members.push({ name, bytes: archive.subarray(start, end) });
    offset = end + (end % 2);
  }
  return members;
}

async function unpackData({ name, bytes }: ArMember): Promise<Uint8Array> {
  if (name === 'data.tar') return bytes;
  try {
    return await decompress(bytes, { limit: MAX_UNPACKED_BYTES });
  } catch (error) {
    if (error instanceof CompressionError) throw damaged('its files cannot be unpacked', error);
    throw error;
  }
}

function plainPath(path: string): string {
  return path.replace(/^(\.?\/)+/, '');
}

function ascii(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length));
}

function damaged(why: string, cause?: unknown): VivariumError {
  return new VivariumError('package-damaged', `the Debian package is damaged: ${why}`, { cause });
}
