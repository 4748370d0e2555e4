/**
 * The configuration structure of a block device. VIRTIO 1.2, section 5.2.4.
 *
 * ```
 * 00 capacity (8)       0c seg_max (4)          14 blk_size (4)
 * 18 topology: physical block exponent (1), alignment (1), minimum (2) and optimal (4) I/O size
 * 22 num_queues (2)     24 max_discard_sectors, max_discard_seg, discard_sector_alignment
 * 30 max_write_zeroes_sectors, max_write_zeroes_seg   38 write_zeroes_may_unmap (1)
 * ```
 */
import { type BlockBackend, SECTOR_BYTES } from '../../../bus/mod.ts';
import { MAX_RANGE_SECTORS, MAX_RANGES, QUEUE_SIZE } from './spec.ts';

const CONFIG_BYTES = 0x3c;
/** Blocks of 4 KiB are what file systems use; smaller accesses work as well. */
const PHYSICAL_BLOCK_EXPONENT = 3;
/** Optimal sizes above this make partitioning tools waste space. */
const OPTIMAL_LIMIT_BYTES = 2 ** 20;

export function blockConfig(backend: BlockBackend, queueCount: number): Uint8Array {
  const bytes = new Uint8Array(CONFIG_BYTES);
  const view = new DataView(bytes.buffer);
  const sectors = backend.bytes / SECTOR_BYTES;
  const clusterSectors = backend.clusterBytes / SECTOR_BYTES;
  view.setBigUint64(0x00, BigInt(sectors), true);
  view.setUint32(0x0c, QUEUE_SIZE - 2, true);
  view.setUint32(0x14, SECTOR_BYTES, true);
  view.setUint8(0x18, PHYSICAL_BLOCK_EXPONENT);
  view.setUint16(0x1a, 1 << PHYSICAL_BLOCK_EXPONENT, true);
  view.setUint32(0x1c, Math.min(clusterSectors, OPTIMAL_LIMIT_BYTES / SECTOR_BYTES), true);
  view.setUint16(0x22, queueCount, true);
  view.setUint32(0x24, MAX_RANGE_SECTORS, true);
  view.setUint32(0x28, MAX_RANGES, true);
  view.setUint32(0x2c, clusterSectors, true);
  view.setUint32(0x30, MAX_RANGE_SECTORS, true);
  view.setUint32(0x34, MAX_RANGES, true);
  view.setUint8(0x38, 1);
  return bytes;
}
