/**
 * Packets between guest and host. VIRTIO 1.2, section 5.10.6.
 *
 * ```
 *  0 source CID (8)   8 destination CID (8)   16 source port   20 destination port   24 length of the payload
 * 28 type (2)        30 operation (2)         32 flags         36 bytes of buffer    40 bytes taken from it, ever
 * ```
 */

export const PACKET_HEADER_BYTES = 44;
/** The host's context id, section 5.10.4. */
export const HOST_CID = 2;
/** The only kind of socket here: VIRTIO_VSOCK_TYPE_STREAM. */
export const TYPE_STREAM = 1;

/** `op`, section 5.10.6 */
export const OP = {
  REQUEST: 1,
  RESPONSE: 2,
  RST: 3,
  SHUTDOWN: 4,
  RW: 5,
  CREDIT_UPDATE: 6,
  CREDIT_REQUEST: 7,
} as const;

/** Flags of SHUTDOWN: the sender will receive, or send, no more. */
export const SHUTDOWN_RECEIVE = 1;
export const SHUTDOWN_SEND = 2;
export const SHUTDOWN_BOTH = SHUTDOWN_RECEIVE | SHUTDOWN_SEND;

export interface PacketHeader {
  readonly sourceCid: number;
  readonly destinationCid: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly length: number;
  readonly type: number;
  readonly op: number;
  readonly flags: number;
  readonly bufferBytes: number;
  readonly taken: number;
}

/** Reads a header; undefined when there is none, or when it and the payload do not fit together. */
export function readPacket(
  packet: Uint8Array,
): { readonly header: PacketHeader; readonly payload: Uint8Array } | undefined {
  if (packet.length < PACKET_HEADER_BYTES) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, PACKET_HEADER_BYTES);
  const header: PacketHeader = {
    sourceCid: Number(view.getBigUint64(0, true)),
    destinationCid: Number(view.getBigUint64(8, true)),
    sourcePort: view.getUint32(16, true),
    destinationPort: view.getUint32(20, true),
    length: view.getUint32(24, true),
    type: view.getUint16(28, true),
    op: view.getUint16(30, true),
    flags: view.getUint32(32, true),
    bufferBytes: view.getUint32(36, true),
    taken: view.getUint32(40, true),
  };
  const payload = packet.subarray(PACKET_HEADER_BYTES);
  return payload.length === header.length ? { header, payload } : undefined;
}

const EMPTY = new Uint8Array(0);

export function buildPacket(
  header: Omit<PacketHeader, 'length' | 'type'> & { readonly type?: number },
  payload: Uint8Array = EMPTY,
): Uint8Array {
  const packet = new Uint8Array(PACKET_HEADER_BYTES + payload.length);
  const view = new DataView(packet.buffer);
  view.setBigUint64(0, BigInt(header.sourceCid), true);
  view.setBigUint64(8, BigInt(header.destinationCid), true);
  view.setUint32(16, header.sourcePort, true);
  view.setUint32(20, header.destinationPort, true);
  view.setUint32(24, payload.length, true);
  view.setUint16(28, header.type ?? TYPE_STREAM, true);
  view.setUint16(30, header.op, true);
  view.setUint32(32, header.flags, true);
  view.setUint32(36, header.bufferBytes, true);
  view.setUint32(40, header.taken, true);
  packet.set(payload, PACKET_HEADER_BYTES);
  return packet;
}
