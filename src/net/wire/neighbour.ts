/**
 * Neighbour discovery for IPv6: RFC 4861, with the DNS option of RFC 8106. Messages are bodies of ICMPv6 with
 * checksum zero; all of them travel with hop limit 255.
 */
import { addressBytes, formatIpv6, type IpAddress } from '../address.ts';
import { write16, write32 } from '../bytes.ts';

export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
/** Proof that the sender is on the link. */
export const NEIGHBOUR_HOP_LIMIT = 255;

const SOURCE_LINK_ADDRESS = 1;
const TARGET_LINK_ADDRESS = 2;
const PREFIX_INFORMATION = 3;
const MTU = 5;
const RECURSIVE_DNS = 25;

const ADVERTISEMENT_ROUTER = 0x80;
const ADVERTISEMENT_SOLICITED = 0x40;
const ADVERTISEMENT_OVERRIDE = 0x20;
const PREFIX_ON_LINK_AUTONOMOUS = 0xc0;

export interface NeighbourMessage {
  readonly target: IpAddress;
  /** of the sender of a solicitation, or of the target of an advertisement */
  readonly mac: Uint8Array | undefined;
}

/** Reads a neighbour solicitation or advertisement; undefined when it is malformed. */
export function parseNeighbour(message: Uint8Array): NeighbourMessage | undefined {
  if (message.length < 24) return undefined;
  const wanted = message[0] === NEIGHBOUR_SOLICITATION ? SOURCE_LINK_ADDRESS : TARGET_LINK_ADDRESS;
  let mac: Uint8Array | undefined;
  for (let at = 24; at < message.length; ) {
    const length = 8 * (message[at + 1] ?? 0);
    if (length === 0 || at + length > message.length) return undefined;
    if (message[at] === wanted) mac = message.slice(at + 2, at + 8);
    at += length;
  }
  return { target: formatIpv6(message, 8), mac };
}

export function buildNeighbourAdvertisement(
  target: IpAddress,
  mac: Uint8Array,
  isSolicited: boolean,
): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(32);
  message[0] = NEIGHBOUR_ADVERTISEMENT;
  message[4] =
    ADVERTISEMENT_ROUTER | ADVERTISEMENT_OVERRIDE | (isSolicited ? ADVERTISEMENT_SOLICITED : 0);
  message.set(addressBytes(target), 8);
  writeLinkAddress(message, 24, TARGET_LINK_ADDRESS, mac);
  return message;
}

export function buildNeighbourSolicitation(
  target: IpAddress,
  mac: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(32);
  message[0] = NEIGHBOUR_SOLICITATION;
  message.set(addressBytes(target), 8);
  writeLinkAddress(message, 24, SOURCE_LINK_ADDRESS, mac);
  return message;
}

/** The group that the owner of `target` listens to, ff02::1:ffXX:XXXX, and its Ethernet address. */
export function solicitedNode(target: IpAddress): { address: IpAddress; mac: Uint8Array } {
  const group = new Uint8Array(16);
  group.set([0xff, 0x02], 0);
  group.set([0x01, 0xff], 11);
  group.set(addressBytes(target).subarray(13), 13);
  return {
    address: formatIpv6(group, 0),
    mac: Uint8Array.of(0x33, 0x33, ...group.subarray(12)),
  };
}

export interface RouterAdvertisement {
  readonly mac: Uint8Array;
  /** the network, 64 bits long */
  readonly prefix: IpAddress;
  readonly dns: IpAddress;
  readonly mtu: number;
}

/** Lifetimes in seconds. */
export const ROUTER_LIFETIME = 9000;
const PREFIX_LIFETIME = 86_400;

/** Advertises us as a router, addresses by autoconfiguration, no DHCPv6. */
export function buildRouterAdvertisement(router: RouterAdvertisement): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(16 + 8 + 8 + 32 + 24);
  message[0] = ROUTER_ADVERTISEMENT;
  message[4] = 64; // hop limit that hosts should use
  write16(message, 6, ROUTER_LIFETIME);
  writeLinkAddress(message, 16, SOURCE_LINK_ADDRESS, router.mac);
  message.set([MTU, 1], 24);
  write32(message, 28, router.mtu);
  message.set([PREFIX_INFORMATION, 4, 64, PREFIX_ON_LINK_AUTONOMOUS], 32);
  write32(message, 36, PREFIX_LIFETIME);
  write32(message, 40, PREFIX_LIFETIME);
  message.set(addressBytes(router.prefix), 48);
  message.set([RECURSIVE_DNS, 3], 64);
  write32(message, 68, ROUTER_LIFETIME);
  message.set(addressBytes(router.dns), 72);
  return message;
}

function writeLinkAddress(message: Uint8Array, at: number, kind: number, mac: Uint8Array): void {
  message.set([kind, 1], at);
  message.set(mac, at + 2);
}
