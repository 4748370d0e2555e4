/** ICMP (RFC 792) and ICMPv6 (RFC 4443): echo and errors. Neighbour discovery is in `neighbour.ts`. */
import type { IpFamily } from '../address.ts';
import { IPV6_MIN_MTU, type IpPacket } from './ip.ts';

export const ICMP_BYTES = 8;
export const ICMP_CHECKSUM_OFFSET = 2;

/** Message types by family. */
export const ECHO_REQUEST = { 4: 8, 6: 128 } as const satisfies Record<IpFamily, number>;
export const ECHO_REPLY = { 4: 0, 6: 129 } as const satisfies Record<IpFamily, number>;
const UNREACHABLE = { 4: 3, 6: 1 } as const satisfies Record<IpFamily, number>;

/** Why a packet did not arrive, as the codes of "destination unreachable" say it. */
export type Unreachable = 'network' | 'host' | 'port' | 'prohibited';

const UNREACHABLE_CODES: Record<IpFamily, Record<Unreachable, number>> = {
  4: { network: 0, host: 1, port: 3, prohibited: 13 },
  6: { network: 0, host: 3, port: 4, prohibited: 1 },
};

/** How much of the packet an error quotes: RFC 1812 section 4.3.2.3, RFC 4443 section 2.4 (c). */
const QUOTE_BYTES: Record<IpFamily, number> = { 4: 576 - 28, 6: IPV6_MIN_MTU - 48 };

/** A "destination unreachable" about `packet`, checksum zero. */
export function buildUnreachable(packet: IpPacket, reason: Unreachable): Uint8Array<ArrayBuffer> {
  const { family } = packet;
  const quote = packet.whole.subarray(0, QUOTE_BYTES[family]);
  const message = new Uint8Array(ICMP_BYTES + quote.length);
  message[0] = UNREACHABLE[family];
  message[1] = UNREACHABLE_CODES[family][reason];
  message.set(quote, ICMP_BYTES);
  return message;
}
