/** Socket device. VIRTIO 1.2, section 5.10. */

/** Section 5.10.2. */
export const RECEIVE_QUEUE = 0;
export const TRANSMIT_QUEUE = 1;
export const EVENT_QUEUE = 2;
export const QUEUE_SIZE = 128;
export const EVENT_QUEUE_SIZE = 16;

/** Section 5.10.6: the header of each packet, and where the length of its payload stands. */
export const PACKET_HEADER_BYTES = 44;
export const LENGTH_OFFSET = 24;
export const OP_OFFSET = 30;
export const VIRTIO_VSOCK_OP_RW = 5;
/** The driver sends at most 64 KiB in one packet. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;

/** Section 5.10.6.7: connections are gone, and the context id may be another. */
export const VIRTIO_VSOCK_EVENT_TRANSPORT_RESET = 0;
