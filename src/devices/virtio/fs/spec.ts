/** File system device. VIRTIO 1.2, section 5.11. */

/** Section 5.11.2: first the queue for what must not wait, then those for requests. */
export const HIGH_PRIORITY_QUEUE = 0;
export const HIGH_PRIORITY_QUEUE_SIZE = 128;
/** Room for 1 MiB in pages, headers and arguments in one chain. */
export const REQUEST_QUEUE_SIZE = 1024;

/** Section 5.11.4: tag (36 bytes), number of request queues (4). */
export const TAG_BYTES = 36;
export const CONFIG_BYTES = 40;

/** Bytes of the headers of FUSE messages. */
export const FUSE_IN_HEADER_BYTES = 40;
