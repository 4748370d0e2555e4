/** Unpacks compressed kernels on the host, which is much faster than letting the guest do it. */
import { CompressionError, decompress, detectCompression } from '../../util/mod.ts';
import { isBzImage, parseBzImage } from './bzimage.ts';
import { isElf, parseElf } from './elf.ts';
import { pvhEntry } from './pvh.ts';

/** No kernel comes near this size; it bounds what a damaged file can make us allocate. */
const MAX_KERNEL_BYTES = 2 ** 30;

/**
 * Returns the kernel that a file holds in compressed form, if it can be booted directly: the payload
 * of a bzImage that has a PVH entry, or a whole file packed by gzip, xz, zstd or LZ4. Returns
 * `image` itself in every other case, also when the compression is unknown or the data are damaged:
 * then the guest tries, or `loadKernel` tells what is wrong.
 */
export async function unpackKernel(image: Uint8Array): Promise<Uint8Array> {
  if (isBzImage(image)) {
    const elf = await unpack(parseBzImage(image).payload);
    return elf && isElf(elf) && pvhEntry(parseElf(elf)) !== undefined ? elf : image;
  }
  return (await unpack(image)) ?? image;
}

async function unpack(packed: Uint8Array): Promise<Uint8Array | undefined> {
  if (detectCompression(packed) === undefined) return undefined;
  try {
    return await decompress(packed, { limit: MAX_KERNEL_BYTES });
  } catch (error) {
    if (error instanceof CompressionError) return undefined;
    throw error;
  }
}
