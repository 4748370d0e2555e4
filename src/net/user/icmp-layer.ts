/** ICMP and ICMPv6 of our end: echo, router and neighbour discovery. */
import { familyOf, type IpAddress, isUnicast } from '../address.ts';
import { read16 } from '../bytes.ts';
import { SECOND } from '../clock.ts';
import type { QueueTimer, TimerQueue } from '../timer-queue.ts';
import { ETHERNET_MTU } from '../wire/ethernet.ts';
import { ECHO_REPLY, ECHO_REQUEST, ICMP_BYTES, ICMP_CHECKSUM_OFFSET } from '../wire/icmp.ts';
import { type IpPacket, PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '../wire/ip.ts';
import {
  buildNeighbourAdvertisement,
  buildRouterAdvertisement,
  NEIGHBOUR_ADVERTISEMENT,
  NEIGHBOUR_HOP_LIMIT,
  NEIGHBOUR_SOLICITATION,
  parseNeighbour,
  ROUTER_LIFETIME,
  ROUTER_SOLICITATION,
} from '../wire/neighbour.ts';
import type { HostSockets } from './host.ts';
import type { IpLayer } from './ip-layer.ts';
import { isOnLink, isOurs, PLAN, ROUTER_LINK_LOCAL, ROUTER_MAC } from './plan.ts';
import type { Policy } from './policy.ts';

/** Echo requests that the host is busy with; more are dropped. */
const MAX_ECHOES = 32;
/** A third of the lifetime that we announce. */
const ADVERTISEMENT_INTERVAL = (ROUTER_LIFETIME / 3) * SECOND;
const ALL_NODES: IpAddress = 'ff02::1';
const UNSPECIFIED: IpAddress = '::';

export class IcmpLayer {
  readonly #ip: IpLayer;
  readonly #host: Pick<HostSockets, 'echo'>;
  readonly #policy: Policy;
  readonly #timer: QueueTimer;
  readonly #now: () => number;
  #echoes = 0;

  constructor(ip: IpLayer, host: Pick<HostSockets, 'echo'>, policy: Policy, timers: TimerQueue) {
    this.#ip = ip;
    this.#now = () => timers.now();
    this.#timer = timers.timer(() => this.#advertise(ALL_NODES));
    this.#host = host;
    this.#policy = policy;
    ip.handlers.set(PROTOCOL_ICMP, (packet) => this.#receive(packet));
    ip.handlers.set(PROTOCOL_ICMPV6, (packet) => this.#receive(packet));
  }

  #receive(packet: IpPacket): void {
    const { payload, family, protocol } = packet;
    if (payload.length < ICMP_BYTES) return;
    if ((protocol === PROTOCOL_ICMP) !== (family === 4)) return;
    const type = payload[0] as number;
    if (type === ECHO_REQUEST[family]) this.#receiveEcho(packet);
    else if (family === 6 && packet.ttl === NEIGHBOUR_HOP_LIMIT) this.#receiveDiscovery(packet);
  }

  #receiveEcho(packet: IpPacket): void {
    const { destination, source, family, payload } = packet;
    if (!isUnicast(source)) return;
    const reply = payload.slice();
    reply[0] = ECHO_REPLY[family];
    reply.fill(0, ICMP_CHECKSUM_OFFSET, ICMP_CHECKSUM_OFFSET + 2);
    if (isOurs(destination)) {
      this.#send(destination, source, reply);
      return;
    }
    if (!isUnicast(destination)) return;
    if (isOnLink(destination)) {
      this.#ip.sendUnreachable(packet, 'host');
      return;
    }
    if (!this.#policy.allowsAll(destination)) {
      this.#ip.sendUnreachable(packet, 'prohibited');
      return;
    }
    if (this.#echoes >= MAX_ECHOES) return;
    this.#echoes++;
    this.#host
      .echo(destination, payload.length - ICMP_BYTES)
      .catch(() => false)
      .then((hasAnswered) => {
        this.#echoes--;
        if (hasAnswered) this.#send(destination, source, reply);
      });
  }

  #receiveDiscovery(packet: IpPacket): void {
    const { payload, source } = packet;
    switch (payload[0]) {
      case ROUTER_SOLICITATION:
        this.#advertise(source === UNSPECIFIED ? ALL_NODES : source);
        return;
      case NEIGHBOUR_SOLICITATION: {
        const message = parseNeighbour(payload);
        if (message === undefined || !isOurs(message.target)) return;
        if (message.mac !== undefined) this.#ip.neighbours.learn(source, message.mac);
        const isProbe = source === UNSPECIFIED; // someone wants our address; it shall know it is taken
        this.#send(
          message.target,
          isProbe ? ALL_NODES : source,
          buildNeighbourAdvertisement(message.target, ROUTER_MAC, !isProbe),
        );
        return;
      }
      case NEIGHBOUR_ADVERTISEMENT: {
        const message = parseNeighbour(payload);
        if (message?.mac === undefined || isOurs(message.target)) return;
        this.#ip.neighbours.learn(message.target, message.mac);
        return;
      }
    }
  }

  /** Nobody is there to be told of us. */
  clear(): void {
    this.#timer.cancel();
  }

  /**
   * Tells a station, or all of them, that we are a router and which network they are in, and reminds them before they
   * forget.
   */
  #advertise(destination: IpAddress): void {
    this.#timer.arm(this.#now() + ADVERTISEMENT_INTERVAL);
    const message = buildRouterAdvertisement({
      mac: ROUTER_MAC,
      prefix: PLAN[6].network,
      dns: PLAN[6].dns,
      mtu: ETHERNET_MTU,
    });
    this.#send(ROUTER_LINK_LOCAL, destination, message);
  }

  #send(source: IpAddress, destination: IpAddress, message: Uint8Array): void {
    const isSix = familyOf(destination) === 6;
    const type = read16(message, 0) >> 8;
    this.#ip.sendBytes(
      {
        source,
        destination,
        protocol: isSix ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP,
        checksumOffset: ICMP_CHECKSUM_OFFSET,
        ...(isSix && type >= ROUTER_SOLICITATION ? { hopLimit: NEIGHBOUR_HOP_LIMIT } : {}),
      },
      message,
    );
  }
}
