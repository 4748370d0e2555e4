/** Gives the stations of the link their IPv4 addresses. RFC 2131 section 4.3. */
import type { IpAddress } from '../address.ts';
import { formatMac } from '../mac.ts';
import {
  buildDhcp,
  DHCP_ACK,
  DHCP_DECLINE,
  DHCP_DISCOVER,
  DHCP_INFORM,
  DHCP_NAK,
  DHCP_OFFER,
  DHCP_RELEASE,
  DHCP_REQUEST,
  type DhcpRequest,
  parseDhcp,
} from '../wire/dhcp.ts';
import { BROADCAST4, FIRST_LEASE, PLAN } from './plan.ts';

const LEASE_SECONDS = 86_400;
const LAST_LEASE = 254;
const NO_ADDRESS: IpAddress = '0.0.0.0';
const SUBNET_MASK: IpAddress = '255.255.255.0';

export interface DhcpAnswer {
  readonly message: Uint8Array;
  /** where it goes: to everyone, or to the address of the client */
  readonly destination: IpAddress;
  /** the client's Ethernet address, to be known by `destination` from now on */
  readonly mac: Uint8Array;
}

export class DhcpServer {
  /** host part of the address, by Ethernet address; the oldest lease first */
  readonly #leases = new Map<string, number>();

  /** The address that was given out last, or the one that the first client gets. */
  get latestLease(): IpAddress {
    return addressOf([...this.#leases.values()].at(-1) ?? FIRST_LEASE);
  }

  /** The answer to a client's message, if it gets one. */
  answer(bytes: Uint8Array): DhcpAnswer | undefined {
    const request = parseDhcp(bytes);
    if (request === undefined) return undefined;
    const client = formatMac(request.mac);
    switch (request.type) {
      case DHCP_DISCOVER:
        return this.#reply(request, DHCP_OFFER, this.#leaseFor(client));
      case DHCP_REQUEST:
        return this.#answerRequest(request, client);
      case DHCP_INFORM:
        return this.#reply(request, DHCP_ACK, undefined);
      case DHCP_RELEASE:
      case DHCP_DECLINE:
        this.#leases.delete(client);
        return undefined;
      default:
        return undefined;
    }
  }

  clear(): void {
    this.#leases.clear();
  }

  #answerRequest(request: DhcpRequest, client: string): DhcpAnswer | undefined {
    if (request.server !== undefined && request.server !== PLAN[4].gateway) {
      this.#leases.delete(client); // it chose another server
      return undefined;
    }
    const wanted = request.requested ?? request.clientAddress;
    // A client may keep the address of an earlier life if nobody has it.
    const lease = this.#leases.get(client) ?? this.#claim(client, wanted);
    if (lease === undefined || addressOf(lease) !== wanted) {
      return this.#reply(request, DHCP_NAK, undefined);
    }
    return this.#reply(request, DHCP_ACK, lease);
  }

  #leaseFor(client: string): number {
    const known = this.#leases.get(client);
    if (known !== undefined) return known;
    const taken = new Set(this.#leases.values());
    let free = FIRST_LEASE;
    while (taken.has(free) && free <= LAST_LEASE) free++;
    if (free > LAST_LEASE) {
      const [oldest, lease] = [...this.#leases][0] as [string, number];
      this.#leases.delete(oldest);
      free = lease;
    }
    this.#leases.set(client, free);
    return free;
  }

  #claim(client: string, wanted: IpAddress): number | undefined {
    for (let lease = FIRST_LEASE; lease <= LAST_LEASE; lease++) {
      if (addressOf(lease) !== wanted) continue;
      if ([...this.#leases.values()].includes(lease)) return undefined;
      this.#leases.set(client, lease);
      return lease;
    }
    return undefined;
  }

  #reply(request: DhcpRequest, type: number, lease: number | undefined): DhcpAnswer {
    const address = lease === undefined ? NO_ADDRESS : addressOf(lease);
    const isRefusal = type === DHCP_NAK;
    const settings = {
      subnetMask: SUBNET_MASK,
      broadcast: BROADCAST4,
      router: PLAN[4].gateway,
      dns: PLAN[4].dns,
      leaseSeconds: lease === undefined ? undefined : LEASE_SECONDS,
    };
    const message = buildDhcp({
      type,
      request,
      address,
      server: PLAN[4].gateway,
      settings: isRefusal ? undefined : settings,
    });
    return { message, destination: destinationOf(request, isRefusal, address), mac: request.mac };
  }
}

/** RFC 2131 section 4.1. */
function destinationOf(request: DhcpRequest, isRefusal: boolean, address: IpAddress): IpAddress {
  if (isRefusal) return '255.255.255.255';
  if (request.clientAddress !== NO_ADDRESS) return request.clientAddress;
  return request.wantsBroadcast || address === NO_ADDRESS ? '255.255.255.255' : address;
}

function addressOf(lease: number): IpAddress {
  return PLAN[4].network.replace(/\d+$/, String(lease));
}
