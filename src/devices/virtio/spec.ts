/** Constants of "Virtual I/O Device (VIRTIO) Version 1.2" that all devices share. */

/** Device types, section 5. */
export const VIRTIO_ID = {
  net: 1,
  block: 2,
  console: 3,
  rng: 4,
  balloon: 5,
  vsock: 19,
  fs: 26,
} as const;

/** Feature bits of every device, section 6. */
export const VIRTIO_F_INDIRECT_DESC = 1n << 28n;
export const VIRTIO_F_EVENT_IDX = 1n << 29n;
export const VIRTIO_F_VERSION_1 = 1n << 32n;

/** Device status, section 2.1. */
export const STATUS_ACKNOWLEDGE = 1;
export const STATUS_DRIVER = 2;
export const STATUS_DRIVER_OK = 4;
export const STATUS_FEATURES_OK = 8;
export const STATUS_NEEDS_RESET = 64;
export const STATUS_FAILED = 128;

/** Descriptor flags, section 2.7.5. */
export const VIRTQ_DESC_F_NEXT = 1;
export const VIRTQ_DESC_F_WRITE = 2;
export const VIRTQ_DESC_F_INDIRECT = 4;
export const VIRTQ_DESC_BYTES = 16;

/** Available ring, section 2.7.6. */
export const VIRTQ_AVAIL_F_NO_INTERRUPT = 1;

/** The largest split ring that the specification allows, section 2.7. */
export const VIRTQ_MAX_SIZE = 32_768;

/** Longest descriptor chain that is served, in descriptors, and the bytes that it may hold. */
export const CHAIN_MAX_DESCRIPTORS = 1024;
export const CHAIN_MAX_BYTES = 2 ** 32 - 1;
