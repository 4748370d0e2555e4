/**
 * DHCP messages. RFC 2131 section 2, options RFC 2132.
 *
 * ```
 *  0 op  1 htype  2 hlen  3 hops   4 xid   8 secs  10 flags  12 ciaddr  16 yiaddr  20 siaddr  24 giaddr
 * 28 chaddr (16)  44 sname (64)  108 file (128)  236 magic 63 82 53 63  240 options
 * ```
 * Left out: options in `sname` and `file` (overload), relay agents.
 */
import { addressBytes, formatIpv4, type IpAddress } from '../address.ts';
import { read16, read32, write16, write32 } from '../bytes.ts';

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

export const DHCP_DISCOVER = 1;
export const DHCP_OFFER = 2;
export const DHCP_REQUEST = 3;
export const DHCP_DECLINE = 4;
export const DHCP_ACK = 5;
export const DHCP_NAK = 6;
export const DHCP_RELEASE = 7;
export const DHCP_INFORM = 8;

const OPTIONS = 240;
const MAGIC = 0x6382_5363;
const BOOT_REQUEST = 1;
const BOOT_REPLY = 2;
const BROADCAST_FLAG = 0x8000;
/** Old clients expect messages of BOOTP's size. */
const MIN_BYTES = 300;

const OPTION_PAD = 0;
const OPTION_SUBNET_MASK = 1;
const OPTION_ROUTER = 3;
const OPTION_DNS = 6;
const OPTION_BROADCAST = 28;
const OPTION_REQUESTED_ADDRESS = 50;
const OPTION_LEASE_TIME = 51;
const OPTION_MESSAGE_TYPE = 53;
const OPTION_SERVER = 54;
const OPTION_END = 255;

export interface DhcpRequest {
  readonly type: number;
  readonly transaction: number;
  readonly wantsBroadcast: boolean;
  /** the address that the client has, or 0.0.0.0 */
  readonly clientAddress: IpAddress;
  readonly mac: Uint8Array;
  readonly requested: IpAddress | undefined;
  readonly server: IpAddress | undefined;
}

/** Undefined when it is no message of an Ethernet client. */
export function parseDhcp(bytes: Uint8Array): DhcpRequest | undefined {
  if (bytes.length < OPTIONS || read32(bytes, OPTIONS - 4) !== MAGIC) return undefined;
  if (bytes[0] !== BOOT_REQUEST || bytes[1] !== 1 || bytes[2] !== 6) return undefined;
  const options = parseOptions(bytes);
  const type = options.get(OPTION_MESSAGE_TYPE)?.[0];
  if (type === undefined) return undefined;
  const address = (kind: number) => {
    const value = options.get(kind);
    return value?.length === 4 ? formatIpv4(value, 0) : undefined;
  };
  return {
    type,
    transaction: read32(bytes, 4),
    wantsBroadcast: (read16(bytes, 10) & BROADCAST_FLAG) !== 0,
    clientAddress: formatIpv4(bytes, 12),
    mac: bytes.slice(28, 34),
    requested: address(OPTION_REQUESTED_ADDRESS),
    server: address(OPTION_SERVER),
  };
}

function parseOptions(bytes: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = OPTIONS; at < bytes.length; ) {
    const kind = bytes[at] as number;
    if (kind === OPTION_END) break;
    if (kind === OPTION_PAD) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (at + 2 + length > bytes.length) break;
    options.set(kind, bytes.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

export interface DhcpReply {
  readonly type: number;
  readonly request: DhcpRequest;
  /** what the client may use; 0.0.0.0 in a refusal and in the answer to INFORM */
  readonly address: IpAddress;
  readonly server: IpAddress;
  /** undefined in a refusal */
  readonly settings:
    | {
        readonly subnetMask: IpAddress;
        readonly broadcast: IpAddress;
        readonly router: IpAddress;
        readonly dns: IpAddress;
        /** undefined in the answer to INFORM */
        readonly leaseSeconds: number | undefined;
      }
    | undefined;
}

export function buildDhcp(reply: DhcpReply): Uint8Array<ArrayBuffer> {
  const { request, settings } = reply;
  const bytes = new Uint8Array(Math.max(MIN_BYTES, OPTIONS + 64));
  bytes.set([BOOT_REPLY, 1, 6], 0);
  write32(bytes, 4, request.transaction);
  write16(bytes, 10, request.wantsBroadcast ? BROADCAST_FLAG : 0);
  bytes.set(addressBytes(request.clientAddress), 12);
  bytes.set(addressBytes(reply.address), 16);
  bytes.set(request.mac, 28);
  write32(bytes, OPTIONS - 4, MAGIC);
  let at = OPTIONS;
  const option = (kind: number, value: Uint8Array | readonly number[]) => {
    bytes.set([kind, value.length], at);
    bytes.set(value, at + 2);
    at += 2 + value.length;
  };
  option(OPTION_MESSAGE_TYPE, [reply.type]);
  option(OPTION_SERVER, addressBytes(reply.server));
  if (settings !== undefined) {
    if (settings.leaseSeconds !== undefined) {
      const seconds = new Uint8Array(4);
      write32(seconds, 0, settings.leaseSeconds);
      option(OPTION_LEASE_TIME, seconds);
    }
    option(OPTION_SUBNET_MASK, addressBytes(settings.subnetMask));
    option(OPTION_BROADCAST, addressBytes(settings.broadcast));
    option(OPTION_ROUTER, addressBytes(settings.router));
    option(OPTION_DNS, addressBytes(settings.dns));
  }
  bytes[at] = OPTION_END;
  return bytes;
}
