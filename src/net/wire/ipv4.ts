/**
 * IPv4 packets. RFC 791.
 *
 * ```
 *  0 version 4, header words   1 service   2 total length     4 identification   6 flags, fragment offset
 *  8 time to live   9 protocol   10 header checksum   12 source   16 destination   20 options
 * ```
 * Options are skipped, source routes too.
 */
import { addressBytes, formatIpv4, type IpAddress } from '../address.ts';
import { read16, write16 } from '../bytes.ts';
import { checksum } from '../checksum.ts';
import { DEFAULT_TTL, type Fragment, type IpPacket } from './ip.ts';

export const IPV4_BYTES = 20;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;

/** Undefined when header, length or checksum are wrong. */
export function parseIpv4Packet(bytes: Uint8Array): IpPacket | undefined {
  const first = bytes[0] ?? 0;
  const headerBytes = (first & 0xf) * 4;
  const totalBytes = read16(bytes, 2);
  if (first >> 4 !== 4 || headerBytes < IPV4_BYTES) return undefined;
  if (totalBytes < headerBytes || totalBytes > bytes.length) return undefined;
  if (checksum(bytes, 0, headerBytes) !== 0) return undefined;
  const flags = read16(bytes, 6);
  const offset = (flags & 0x1fff) * 8;
  const more = (flags & MORE_FRAGMENTS) !== 0;
  const fragment: Fragment | undefined =
    offset > 0 || more ? { id: read16(bytes, 4), offset, more } : undefined;
  return {
    family: 4,
    source: formatIpv4(bytes, 12),
    destination: formatIpv4(bytes, 16),
    protocol: bytes[9] as number,
    ttl: bytes[8] as number,
    payload: bytes.subarray(headerBytes, totalBytes),
    fragment,
    whole: bytes.subarray(0, totalBytes),
  };
}

export interface Ipv4Fields {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly payloadBytes: number;
  readonly id?: number;
  /** a part of a packet; else the packet may not be cut */
  readonly fragment?: { readonly offset: number; readonly more: boolean } | undefined;
}

/** Writes a header of 20 bytes at `offset`. */
export function writeIpv4(bytes: Uint8Array, offset: number, fields: Ipv4Fields): void {
  const { fragment } = fields;
  bytes[offset] = 0x45;
  bytes[offset + 1] = 0;
  write16(bytes, offset + 2, IPV4_BYTES + fields.payloadBytes);
  write16(bytes, offset + 4, fields.id ?? 0);
  const flags = fragment
    ? (fragment.more ? MORE_FRAGMENTS : 0) | (fragment.offset >> 3)
    : DONT_FRAGMENT;
  write16(bytes, offset + 6, flags);
  bytes[offset + 8] = DEFAULT_TTL;
  bytes[offset + 9] = fields.protocol;
  write16(bytes, offset + 10, 0);
  bytes.set(addressBytes(fields.source), offset + 12);
  bytes.set(addressBytes(fields.destination), offset + 16);
  write16(bytes, offset + 10, checksum(bytes, offset, offset + IPV4_BYTES));
}
