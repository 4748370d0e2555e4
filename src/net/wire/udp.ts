/** UDP. RFC 768. */
import { read16, write16 } from '../bytes.ts';

export const UDP_BYTES = 8;
export const UDP_CHECKSUM_OFFSET = 6;

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** zero: the sender computed none, which IPv4 allows */
  readonly checksum: number;
  readonly data: Uint8Array;
}

/** Undefined when the length is wrong. */
export function parseUdp(bytes: Uint8Array): UdpDatagram | undefined {
  const length = read16(bytes, 4);
  if (length < UDP_BYTES || length > bytes.length) return undefined;
  return {
    sourcePort: read16(bytes, 0),
    destinationPort: read16(bytes, 2),
    checksum: read16(bytes, 6),
    data: bytes.subarray(UDP_BYTES, length),
  };
}

/** Writes header and data at `offset`, checksum zero; returns the number of bytes. */
export function writeUdp(
  bytes: Uint8Array,
  offset: number,
  sourcePort: number,
  destinationPort: number,
  data: Uint8Array,
): number {
  const length = UDP_BYTES + data.length;
  write16(bytes, offset, sourcePort);
  write16(bytes, offset + 2, destinationPort);
  write16(bytes, offset + 4, length);
  write16(bytes, offset + 6, 0);
  bytes.set(data, offset + UDP_BYTES);
  return length;
}
