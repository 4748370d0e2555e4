/** ARP for IPv4 over Ethernet. RFC 826. */
import { addressBytes, formatIpv4, type IpAddress } from '../address.ts';
import { read16, write16 } from '../bytes.ts';

export const ARP_BYTES = 28;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;

export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly senderIp: IpAddress;
  readonly targetMac: Uint8Array;
  readonly targetIp: IpAddress;
}

/** Undefined when the packet is not about IPv4 over Ethernet, or too short. */
export function parseArp(bytes: Uint8Array): ArpPacket | undefined {
  if (bytes.length < ARP_BYTES) return undefined;
  if (read16(bytes, 0) !== HARDWARE_ETHERNET || read16(bytes, 2) !== PROTOCOL_IPV4)
    return undefined;
  if (bytes[4] !== 6 || bytes[5] !== 4) return undefined;
  return {
    operation: read16(bytes, 6),
    senderMac: bytes.slice(8, 14),
    senderIp: formatIpv4(bytes, 14),
    targetMac: bytes.slice(18, 24),
    targetIp: formatIpv4(bytes, 24),
  };
}

export function buildArp(packet: ArpPacket): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ARP_BYTES);
  write16(bytes, 0, HARDWARE_ETHERNET);
  write16(bytes, 2, PROTOCOL_IPV4);
  bytes[4] = 6;
  bytes[5] = 4;
  write16(bytes, 6, packet.operation);
  bytes.set(packet.senderMac, 8);
  bytes.set(addressBytes(packet.senderIp), 14);
  bytes.set(packet.targetMac, 18);
  bytes.set(addressBytes(packet.targetIp), 24);
  return bytes;
}
