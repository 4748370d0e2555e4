/**
 * The addresses of the user-mode network: one subnet of each family in which the guest finds a gateway, through
 * which it also reaches the host itself, and a name server.
 */
import { addressBytes, type IpAddress, type IpFamily, inPrefix, isLinkLocal6 } from '../address.ts';

interface Subnet {
  readonly network: IpAddress;
  readonly prefix: number;
  /** stands for the host: what is sent there reaches the host's loopback */
  readonly gateway: IpAddress;
  readonly dns: IpAddress;
  readonly hostLoopback: IpAddress;
}

export const PLAN: Readonly<Record<IpFamily, Subnet>> = {
  4: {
    network: '10.0.2.0',
    prefix: 24,
    gateway: '10.0.2.2',
    dns: '10.0.2.3',
    hostLoopback: '127.0.0.1',
  },
  // A unique local prefix (RFC 4193): guests prefer IPv4 for destinations outside, which hosts always have.
  6: {
    network: 'fd56:6976:6172::',
    prefix: 64,
    gateway: 'fd56:6976:6172::2',
    dns: 'fd56:6976:6172::3',
    hostLoopback: '::1',
  },
};

/** First address that DHCP gives out. */
export const FIRST_LEASE = 15;
export const BROADCAST4: IpAddress = '10.0.2.255';
export const ROUTER_LINK_LOCAL: IpAddress = 'fe80::2';
/** Locally administered. */
export const ROUTER_MAC: Uint8Array = Uint8Array.of(0x52, 0x56, 0x0a, 0x00, 0x02, 0x02);
/** What the guest may call the host by name. */
export const HOST_NAMES: readonly string[] = ['host.vivarium', 'gateway.vivarium'];

/** Addresses that this end of the link answers for. */
export function isOurs(address: IpAddress): boolean {
  return (
    address === PLAN[4].gateway ||
    address === PLAN[4].dns ||
    address === PLAN[6].gateway ||
    address === PLAN[6].dns ||
    address === ROUTER_LINK_LOCAL
  );
}

/** Addresses on the link: nothing behind the gateway has them. */
export function isOnLink(address: IpAddress): boolean {
  if (isLinkLocal6(address)) return true;
  const { network, prefix } = PLAN[address.includes(':') ? 6 : 4];
  return inPrefix(address, addressBytes(network), prefix);
}
