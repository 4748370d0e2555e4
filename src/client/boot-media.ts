/** Tells by content from what media a machine can start by itself. */
import { open } from 'node:fs/promises';
import { openImage } from '../block/mod.ts';
import { NodeFiles, nodeCodecs } from '../platform/node/disk/mod.ts';
import type { DiskOptions } from './disks.ts';

const SECTOR_BYTES = 512;
/** A boot sector's code ends where the table of partitions and the disk's signature begin. */
const CODE_BYTES = 440;
const BOOT_SIGNATURE = [0x55, 0xaa];
/** The first volume descriptor of a CD-ROM and its identifier; ECMA-119, 8.1. */
const VOLUME_DESCRIPTOR = 16 * 2048;
const VOLUME_IDENTIFIER = 'CD001';

/** True for a disk whose first sector has code that a BIOS would start. Throws what opening throws. */
export function hasBootSector(disk: DiskOptions): boolean {
  const host = { files: new NodeFiles(), codecs: nodeCodecs };
  const image = openImage(host, disk.path, { readOnly: true, format: disk.format });
  try {
    if (image.bytes < SECTOR_BYTES) return false;
    const sector = new Uint8Array(SECTOR_BYTES);
    image.read(0, sector);
    return (
      BOOT_SIGNATURE.every((byte, index) => sector[SECTOR_BYTES - 2 + index] === byte) &&
      sector.subarray(0, CODE_BYTES).some((byte) => byte !== 0)
    );
  } finally {
    image.close();
  }
}

/** True for the image of a CD-ROM. */
export async function isDiscImage(path: string): Promise<boolean> {
  await using file = await open(path);
  const bytes = Buffer.alloc(VOLUME_IDENTIFIER.length);
  await file.read(bytes, 0, bytes.length, VOLUME_DESCRIPTOR + 1);
  return bytes.toString('latin1') === VOLUME_IDENTIFIER;
}
