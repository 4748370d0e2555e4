/**
 * IPv6 packets. RFC 8200.
 *
 * ```
 *  0 version 6, class, flow label   4 payload length   6 next header   7 hop limit   8 source   24 destination
 * ```
 * Extension headers are skipped, except the fragment header. Left out: jumbograms, security headers.
 */
import { addressBytes, formatIpv6, type IpAddress } from '../address.ts';
import { read16, read32, write16, write32 } from '../bytes.ts';
import { DEFAULT_TTL, type Fragment, type IpPacket } from './ip.ts';

export const IPV6_BYTES = 40;
export const IPV6_FRAGMENT_BYTES = 8;

const HOP_BY_HOP = 0;
const ROUTING = 43;
export const IPV6_FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
/** More of them are an attack. */
const MAX_EXTENSIONS = 8;

/** Undefined when the header or the chain of extension headers is wrong. */
export function parseIpv6Packet(bytes: Uint8Array): IpPacket | undefined {
  if (bytes.length < IPV6_BYTES || (bytes[0] as number) >> 4 !== 6) return undefined;
  const end = IPV6_BYTES + read16(bytes, 4);
  if (end > bytes.length) return undefined;
  let protocol = bytes[6] as number;
  let at = IPV6_BYTES;
  let fragment: Fragment | undefined;
  for (let count = 0; isExtension(protocol); count++) {
    if (count === MAX_EXTENSIONS || at + 8 > end) return undefined;
    const next = bytes[at] as number;
    if (protocol === IPV6_FRAGMENT) {
      const field = read16(bytes, at + 2);
      // A fragment that is the whole packet needs no reassembly. RFC 6946.
      if (field & 0xfff9) {
        fragment = { id: read32(bytes, at + 4), offset: field & 0xfff8, more: (field & 1) !== 0 };
      }
      at += IPV6_FRAGMENT_BYTES;
    } else at += 8 * ((bytes[at + 1] as number) + 1);
    protocol = next;
    if (fragment !== undefined) break; // what follows is a part of the payload
  }
  if (at > end) return undefined;
  return {
    family: 6,
    source: formatIpv6(bytes, 8),
    destination: formatIpv6(bytes, 24),
    protocol,
    ttl: bytes[7] as number,
    payload: bytes.subarray(at, end),
    fragment,
    whole: bytes.subarray(0, end),
  };
}

function isExtension(protocol: number): boolean {
  return (
    protocol === HOP_BY_HOP ||
    protocol === ROUTING ||
    protocol === IPV6_FRAGMENT ||
    protocol === DESTINATION_OPTIONS
  );
}

export interface Ipv6Fields {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly payloadBytes: number;
  readonly hopLimit?: number;
}

/** Writes a header of 40 bytes at `offset`. */
export function writeIpv6(bytes: Uint8Array, offset: number, fields: Ipv6Fields): void {
  write32(bytes, offset, 0x6000_0000);
  write16(bytes, offset + 4, fields.payloadBytes);
  bytes[offset + 6] = fields.protocol;
  bytes[offset + 7] = fields.hopLimit ?? DEFAULT_TTL;
  bytes.set(addressBytes(fields.source), offset + 8);
  bytes.set(addressBytes(fields.destination), offset + 24);
}
