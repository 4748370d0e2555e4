/** Memory balloon. VIRTIO 1.2, section 5.5. */

export const VIRTIO_BALLOON_F_MUST_TELL_HOST = 1n << 0n;
export const VIRTIO_BALLOON_F_STATS_VQ = 1n << 1n;
export const VIRTIO_BALLOON_F_DEFLATE_ON_OOM = 1n << 2n;
export const VIRTIO_BALLOON_F_REPORTING = 1n << 5n;

/** Page numbers on the inflate and deflate queues count pages of this size. */
export const BALLOON_PAGE_BYTES = 4096;

/** Configuration: pages asked for, pages that the balloon holds. */
export const CONFIG_TARGET = 0;
export const CONFIG_ACTUAL = 4;

/** One statistic: tag (2), value (8); section 5.5.6.3. */
export const STAT_BYTES = 10;
export const STAT_NAMES: readonly string[] = [
  'swapIn',
  'swapOut',
  'majorFaults',
  'minorFaults',
  'free',
  'total',
  'available',
  'caches',
  'hugePageAllocations',
  'hugePageFailures',
];
