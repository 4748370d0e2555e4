/**
 * Entries of the level 1 and level 2 tables: 64 bits, big-endian, handled as two halves of 32.
 * QEMU "qcow2" format description, sections "Cluster mapping" and "Compressed clusters".
 *
 * ```
 * level 1            63 copied   55:9 place of a level 2 table
 * level 2, standard  63 copied   62 = 0   55:9 place of the data   0 reads as zero (version 3)
 * level 2, packed    62 = 1      61:x sectors of 512 bytes, less one   x-1:0 place in bytes
 *                    where x = 62 - (cluster bits - 8)
 * ```
 * "Copied" says that the reference count is exactly one: the cluster may be written in place.
 */

/** In the upper half. */
export const ENTRY_COPIED = 0x8000_0000;
export const ENTRY_COMPRESSED = 0x4000_0000;
/** In the lower half. */
export const ENTRY_ZERO = 1;

const OFFSET_HIGH = 0x00ff_ffff;
const OFFSET_LOW = 0xffff_fe00;
const RESERVED_HIGH = 0x3f00_0000;
const RESERVED_LOW = 0x1fe;
const SECTOR_BYTES = 512;

/** What an entry of a level 2 table says. */
export type Mapping =
  /** look into the image behind */
  | { readonly kind: 'unallocated' }
  /** reads as zero; `host` is set where space is kept all the same */
  | { readonly kind: 'zero'; readonly host: number | undefined; readonly copied: boolean }
  | { readonly kind: 'data'; readonly host: number; readonly copied: boolean }
  | { readonly kind: 'compressed'; readonly host: number; readonly bytes: number }
  | { readonly kind: 'invalid' };

/** Place that a standard entry points at, in bytes. */
export function entryOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * 2 ** 32 + ((low & OFFSET_LOW) >>> 0);
}

/** The upper and lower half of an entry that points at `offset`. */
export function highOf(offset: number): number {
  return Math.floor(offset / 2 ** 32);
}
export function lowOf(offset: number): number {
  return offset % 2 ** 32;
}

/** @param zeroAllowed version 3 has the bit for clusters that read as zero */
export function parseMapping(
  high: number,
  low: number,
  clusterBits: number,
  zeroAllowed: boolean,
): Mapping {
  if (high & ENTRY_COMPRESSED) return parseCompressed(high, low, clusterBits);
  if (high & RESERVED_HIGH || low & RESERVED_LOW) return { kind: 'invalid' };
  const host = entryOffset(high, low);
  const copied = (high & ENTRY_COPIED) !== 0;
  if (host % 2 ** clusterBits !== 0) return { kind: 'invalid' };
  if (low & ENTRY_ZERO) {
    if (!zeroAllowed) return { kind: 'invalid' };
    return { kind: 'zero', host: host === 0 ? undefined : host, copied };
  }
  return host === 0 ? { kind: 'unallocated' } : { kind: 'data', host, copied };
}

function parseCompressed(high: number, low: number, clusterBits: number): Mapping {
  // x is 49 to 61, so the boundary lies in the upper half.
  const split = 62 - (clusterBits - 8) - 32;
  const host = (high & (2 ** split - 1)) * 2 ** 32 + low;
  const sectors = ((high & 0x3fff_ffff) >>> split) + 1;
  const bytes = sectors * SECTOR_BYTES - (host % SECTOR_BYTES);
  if (host > Number.MAX_SAFE_INTEGER || host === 0) return { kind: 'invalid' };
  return { kind: 'compressed', host, bytes };
}
