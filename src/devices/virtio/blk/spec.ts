/** Block device. VIRTIO 1.2, section 5.2. */

/** Feature bits, section 5.2.3. */
export const VIRTIO_BLK_F_SEG_MAX = 1n << 2n;
export const VIRTIO_BLK_F_RO = 1n << 5n;
export const VIRTIO_BLK_F_BLK_SIZE = 1n << 6n;
export const VIRTIO_BLK_F_FLUSH = 1n << 9n;
export const VIRTIO_BLK_F_TOPOLOGY = 1n << 10n;
export const VIRTIO_BLK_F_MQ = 1n << 12n;
export const VIRTIO_BLK_F_DISCARD = 1n << 13n;
export const VIRTIO_BLK_F_WRITE_ZEROES = 1n << 14n;

/** Request types, section 5.2.6. */
export const VIRTIO_BLK_T_IN = 0;
export const VIRTIO_BLK_T_OUT = 1;
export const VIRTIO_BLK_T_FLUSH = 4;
export const VIRTIO_BLK_T_GET_ID = 8;
export const VIRTIO_BLK_T_DISCARD = 11;
export const VIRTIO_BLK_T_WRITE_ZEROES = 13;

export const VIRTIO_BLK_S_OK = 0;
export const VIRTIO_BLK_S_IOERR = 1;
export const VIRTIO_BLK_S_UNSUPP = 2;

/** Every request begins with its type (4), 4 reserved bytes and its sector (8). */
export const REQUEST_HEADER_BYTES = 16;
export const ID_BYTES = 20;
/** One range of a discard or write-zeroes request: sector (8), sectors (4), flags (4). */
export const RANGE_BYTES = 16;
export const RANGE_F_UNMAP = 1;

export const QUEUE_SIZE = 256;
/** Ranges in one discard or write-zeroes request. */
export const MAX_RANGES = 16;
/** Sectors in one range: 1 GiB. */
export const MAX_RANGE_SECTORS = 2 ** 21;
