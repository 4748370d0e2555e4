/**
 * TCP: ends the guest's connections here and continues them on sockets of the host, and the other way round for
 * forwarded ports. A guest's SYN is answered when the host has connected, so that refusals reach the guest.
 */

import type { Link } from '../../bus/mod.ts';
import { familyOf, type IpAddress, type IpFamily, isUnicast } from '../address.ts';
import { TcpConnection, type TcpOutput, type TcpPayload } from '../tcp/connection.ts';
import { advance } from '../tcp/sequence.ts';
import type { TimerQueue } from '../timer-queue.ts';
import { DNS_PORT } from '../wire/dns.ts';
import { type IpPacket, PROTOCOL_TCP } from '../wire/ip.ts';
import {
  parseTcp,
  TCP_ACK,
  TCP_BYTES,
  TCP_CHECKSUM_OFFSET,
  TCP_FIN,
  TCP_MAX_OPTION_BYTES,
  TCP_RST,
  TCP_SYN,
  type TcpFields,
  type TcpSegment,
  writeTcp,
} from '../wire/tcp.ts';
import type { PortForward } from './config.ts';
import type { HostFailure, HostListener, HostSockets } from './host.ts';
import type { IpLayer } from './ip-layer.ts';
import { isOnLink, isOurs, PLAN } from './plan.ts';
import type { Policy } from './policy.ts';
import { TcpBridge } from './tcp-bridge.ts';

const MAX_CONNECTIONS = 16_384;
/** Ports of the gateway for connections into the guest. RFC 6335 section 6. */
const FIRST_DYNAMIC_PORT = 49_152;
/** Data of a burst, so that an IPv4 packet with it and all options stays below 65,536 bytes. */
const MAX_BURST = 65_535 - 20 - TCP_BYTES - TCP_MAX_OPTION_BYTES;

interface Entry {
  readonly key: string;
  readonly connection: TcpConnection;
  readonly bridge: TcpBridge;
}

/** The two ends as packets from us name them. */
interface Route {
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

export class TcpLayer {
  readonly #ip: IpLayer;
  readonly #link: Link;
  readonly #host: HostSockets;
  readonly #timers: TimerQueue;
  readonly #policy: Policy;
  readonly #random: () => number;
  readonly #guestAddress: () => IpAddress;
  readonly #entries = new Map<string, Entry>();
  /** connections with an acknowledgement to send */
  #due = new Set<TcpConnection>();
  /** connections that wait for room on the link */
  #blocked = new Set<TcpConnection>();
  #nextPort = FIRST_DYNAMIC_PORT;

  constructor(parts: {
    readonly ip: IpLayer;
    readonly link: Link;
    readonly host: HostSockets;
    readonly timers: TimerQueue;
    readonly policy: Policy;
    /** 32 random bits */
    readonly random: () => number;
    /** where forwarded connections go */
    readonly guestAddress: () => IpAddress;
  }) {
    this.#ip = parts.ip;
    this.#link = parts.link;
    this.#host = parts.host;
    this.#timers = parts.timers;
    this.#policy = parts.policy;
    this.#random = parts.random;
    this.#guestAddress = parts.guestAddress;
    parts.ip.handlers.set(PROTOCOL_TCP, (packet) => this.#receive(packet));
  }

  /** Connections, those that are just over included. */
  get size(): number {
    return this.#entries.size;
  }

  /** Opens a forwarded port of the host. Rejects with a `VivariumError` when it cannot be had. */
  forward(forward: PortForward): Promise<HostListener> {
    return this.#host.listen(forward.hostAddress, forward.hostPort, (accept) => {
      const bridge = new TcpBridge();
      bridge.stream = accept(bridge.hostEvents);
      const guest = this.#guestAddress();
      const route = { source: PLAN[familyOf(guest)].gateway, destination: guest };
      const port = this.#freePort(route, forward.guestPort);
      if (port === undefined) {
        bridge.stream.reset();
        return;
      }
      this.#open(route, port, forward.guestPort, bridge).connection.connect();
    });
  }

  /** The frames at hand are worked off. */
  settle(): void {
    const due = this.#due;
    if (due.size === 0) return;
    this.#due = new Set();
    for (const connection of due) connection.flush();
  }

  /** The link has room again. */
  resume(): void {
    const blocked = this.#blocked;
    this.#blocked = new Set();
    for (const connection of blocked) connection.resume();
  }

  /** Drops all connections on the side of the host; the guest is told nothing: it is another one. */
  clear(): void {
    for (const { connection, bridge } of [...this.#entries.values()]) {
      connection.discard();
      bridge.reset();
    }
    this.#due.clear();
    this.#blocked.clear();
  }

  #receive(packet: IpPacket): void {
    const segment = parseTcp(packet.payload);
    if (segment === undefined || !isUnicast(packet.source) || !isUnicast(packet.destination))
      return;
    const route = { source: packet.destination, destination: packet.source };
    const key = keyOf(route, segment.destinationPort, segment.sourcePort);
    const entry = this.#entries.get(key);
    if (entry !== undefined && !isReopening(entry, segment)) {
      entry.connection.receive(segment);
      return;
    }
    entry?.connection.discard();
    if ((segment.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) === TCP_SYN) {
      this.#receiveSyn(packet, route, segment);
    } else this.#refuse(route, segment);
  }

  #receiveSyn(packet: IpPacket, route: Route, syn: TcpSegment): void {
    const target = this.#targetOf(packet, syn.destinationPort);
    if (target === undefined || this.#entries.size >= MAX_CONNECTIONS) {
      this.#refuse(route, syn);
      return;
    }
    const bridge = new TcpBridge();
    const { connection } = this.#open(route, syn.destinationPort, syn.sourcePort, bridge);
    connection.begin(syn);
    const quoted = { ...packet, payload: packet.payload.slice(), whole: packet.whole.slice() };
    bridge.connectFailed = (failure: HostFailure) => {
      if (failure === 'unreachable' || failure === 'timeout') {
        connection.discard();
        this.#ip.sendUnreachable(quoted, failure === 'timeout' ? 'host' : 'network');
      } else connection.abort();
    };
    bridge.stream = this.#host.connect(target.address, target.port, bridge.hostEvents);
  }

  /** Where the host has to connect to; undefined when the guest may not or there is nothing. */
  #targetOf(packet: IpPacket, port: number): { address: IpAddress; port: number } | undefined {
    const { destination, family } = packet;
    const subnet = PLAN[family];
    if (destination === subnet.dns) {
      // What is asked over TCP is not looked at; a guest with rules asks over UDP.
      const mayAsk = port === DNS_PORT && this.#policy.allowsAll(destination);
      return mayAsk ? this.#host.nameServer() : undefined;
    }
    if (!this.#policy.allows(destination, port)) return undefined;
    if (destination === subnet.gateway) return { address: subnet.hostLoopback, port };
    return isOurs(destination) || isOnLink(destination)
      ? undefined
      : { address: destination, port };
  }

  #open(route: Route, ourPort: number, guestPort: number, bridge: TcpBridge): Entry {
    const key = keyOf(route, ourPort, guestPort);
    const family = familyOf(route.destination);
    const output: TcpOutput = {
      burstBytes: (mss) => this.#burstBytes(family, mss),
      send: (fields, mss, payload) => {
        const isSent = this.#send(route, family, fields, mss, payload);
        if (!isSent) this.#blocked.add(connection);
        return isSent;
      },
      wantFlush: () => this.#due.add(connection),
      forget: () => {
        this.#entries.delete(key);
        this.#due.delete(connection);
        this.#blocked.delete(connection);
      },
      get isStalled() {
        return !link.isDrained;
      },
    };
    const link = this.#link;
    const connection: TcpConnection = new TcpConnection({
      localPort: ourPort,
      remotePort: guestPort,
      sequence: this.#random(),
      mss: this.#ip.maxPayload(family) - TCP_BYTES,
      timers: this.#timers,
      output,
      events: bridge.guestEvents,
    });
    bridge.connection = connection;
    const entry: Entry = { key, connection, bridge };
    this.#entries.set(key, entry);
    return entry;
  }

  #burstBytes(family: IpFamily, mss: number): number {
    const { checksum, tcp4, tcp6 } = this.#link.offloads;
    const mayBurst = checksum && (family === 4 ? tcp4 : tcp6);
    return mayBurst ? MAX_BURST - (MAX_BURST % mss) : mss;
  }

  #send(
    route: Route,
    family: IpFamily,
    fields: TcpFields,
    mss: number,
    payload: TcpPayload | undefined,
  ): boolean {
    const { scratch } = this.#ip;
    const start = this.#ip.payloadOffset(family);
    const headerBytes = writeTcp(scratch, start, fields);
    const dataBytes = payload?.bytes ?? 0;
    payload?.queue.copy(payload.from, dataBytes, scratch, start + headerBytes);
    return this.#ip.send({
      ...route,
      protocol: PROTOCOL_TCP,
      bytes: headerBytes + dataBytes,
      checksumOffset: TCP_CHECKSUM_OFFSET,
      segments: dataBytes > mss ? { headerBytes, dataBytes: mss } : undefined,
    });
  }

  /** Answers a segment that belongs to no connection. RFC 9293 section 3.10.7.1. */
  #refuse(route: Route, segment: TcpSegment): void {
    const { flags, sequence, acknowledgement, data } = segment;
    if (flags & TCP_RST) return;
    const length = data.length + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
    const hasAcknowledgement = (flags & TCP_ACK) !== 0;
    this.#send(
      route,
      familyOf(route.destination),
      {
        sourcePort: segment.destinationPort,
        destinationPort: segment.sourcePort,
        sequence: hasAcknowledgement ? acknowledgement : 0,
        acknowledgement: hasAcknowledgement ? 0 : advance(sequence, length),
        flags: hasAcknowledgement ? TCP_RST : TCP_RST | TCP_ACK,
        window: 0,
      },
      0,
      undefined,
    );
  }

  /** A port of ours that no connection to `guestPort` has. */
  #freePort(route: Route, guestPort: number): number | undefined {
    if (this.#entries.size >= MAX_CONNECTIONS) return undefined;
    for (;;) {
      const port = this.#nextPort;
      this.#nextPort = port === 0xffff ? FIRST_DYNAMIC_PORT : port + 1;
      if (!this.#entries.has(keyOf(route, port, guestPort))) return port;
    }
  }
}

/** A SYN that begins a new connection where an old one lingers. RFC 9293 section 3.6.1. */
function isReopening({ connection }: Entry, segment: TcpSegment): boolean {
  const isSyn = (segment.flags & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN;
  return isSyn && connection.state === 'time-wait' && connection.isBeyond(segment.sequence);
}

function keyOf(route: Route, ourPort: number, guestPort: number): string {
  return `${route.source} ${ourPort} ${route.destination} ${guestPort}`;
}
