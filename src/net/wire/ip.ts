/** What IPv4 and IPv6 have in common for the layers above. */
import type { IpAddress, IpFamily } from '../address.ts';

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_ICMPV6 = 58;

export const DEFAULT_TTL = 64;
/** Smallest packet that every IPv6 link carries, and the limit for the packets that ICMP errors quote. */
export const IPV6_MIN_MTU = 1280;

/** A part of a packet that its sender cut. */
export interface Fragment {
  readonly id: number;
  /** bytes from the beginning of the whole payload */
  readonly offset: number;
  readonly more: boolean;
}

/** A packet taken apart. All bytes are views of the frame. */
export interface IpPacket {
  readonly family: IpFamily;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** of the payload, behind all extension headers */
  readonly protocol: number;
  readonly ttl: number;
  readonly payload: Uint8Array;
  readonly fragment: Fragment | undefined;
  /** from the first byte of the IP header on */
  readonly whole: Uint8Array;
}

/** Offset of the source address in a header; the destination follows. */
export function addressOffset(family: IpFamily): number {
  return family === 4 ? 12 : 8;
}

export function addressLength(family: IpFamily): number {
  return family === 4 ? 4 : 16;
}
