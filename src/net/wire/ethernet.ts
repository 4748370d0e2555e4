/** Ethernet II frames. IEEE 802.3 clause 3.2.6. Left out: VLAN tags, LLC. */
import { read16, write16 } from '../bytes.ts';

export const ETHERNET_BYTES = 14;
/** Largest IP packet of an ordinary frame. */
export const ETHERNET_MTU = 1500;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;

export function etherType(frame: Uint8Array): number {
  return read16(frame, 12);
}

/** Writes the header at the beginning of `frame`. */
export function writeEthernet(
  frame: Uint8Array,
  destination: Uint8Array,
  source: Uint8Array,
  type: number,
): void {
  frame.set(destination, 0);
  frame.set(source, 6);
  write16(frame, 12, type);
}
