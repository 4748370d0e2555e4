/**
 * UDP: the guest's datagrams leave through sockets of the host, one for each port of the guest that sends, so that
 * a guest keeps its port towards all it talks to; answers come back only from those it talked to. Forwarded
 * ports work the other way round.
 */
import { familyOf, type IpAddress, isLoopback, isUnicast } from '../address.ts';
import { SECOND } from '../clock.ts';
import type { QueueTimer, TimerQueue } from '../timer-queue.ts';
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from '../wire/dhcp.ts';
import { DNS_PORT } from '../wire/dns.ts';
import { type IpPacket, PROTOCOL_UDP } from '../wire/ip.ts';
import { parseUdp, UDP_CHECKSUM_OFFSET, type UdpDatagram, writeUdp } from '../wire/udp.ts';
import type { PortForward } from './config.ts';
import type { DhcpServer } from './dhcp-server.ts';
import type { DnsProxy } from './dns-proxy.ts';
import type { HostDatagrams, HostListener, HostSockets } from './host.ts';
import type { IpLayer } from './ip-layer.ts';
import { isOnLink, isOurs, PLAN } from './plan.ts';
import type { Policy } from './policy.ts';

/** Flows are forgotten after so long without a datagram. RFC 4787 asks for two minutes at least. */
const IDLE = 120 * SECOND;
/** A name is asked for and answered. */
const IDLE_DNS = 15 * SECOND;
const MAX_FLOWS = 2048;
const MAX_PEERS = 1024;
const MAX_DATA = 65_507;
/** Where the ports begin that stand for clients of forwarded ports. */
const FIRST_CLIENT_PORT = 32_768;

/** A port of the guest and the socket that stands for it on the host. */
interface Flow {
  readonly socket: HostDatagrams;
  readonly timer: QueueTimer;
  idle: number;
  /** whom the guest has sent to, as the host names them, and as the guest does */
  readonly peers: Map<string, { readonly address: IpAddress; readonly port: number }>;
}

/** A client of a forwarded port, and the port of the gateway that stands for it. */
interface Client {
  readonly timer: QueueTimer;
  readonly address: IpAddress;
  readonly port: number;
  readonly reply: HostDatagrams;
}

export class UdpLayer {
  readonly #ip: IpLayer;
  readonly #host: HostSockets;
  readonly #timers: TimerQueue;
  readonly #policy: Policy;
  readonly #dhcp: DhcpServer;
  readonly #dns: DnsProxy;
  readonly #flows = new Map<string, Flow>();
  /** by the port of the gateway */
  readonly #clients = new Map<number, Client>();
  readonly #clientPorts = new Map<string, number>();
  #nextClientPort = FIRST_CLIENT_PORT;

  constructor(parts: {
    readonly ip: IpLayer;
    readonly host: HostSockets;
    readonly timers: TimerQueue;
    readonly policy: Policy;
    readonly dhcp: DhcpServer;
    readonly dns: DnsProxy;
  }) {
    this.#ip = parts.ip;
    this.#host = parts.host;
    this.#timers = parts.timers;
    this.#policy = parts.policy;
    this.#dhcp = parts.dhcp;
    this.#dns = parts.dns;
    parts.ip.handlers.set(PROTOCOL_UDP, (packet) => this.#receive(packet));
  }

  /** Flows and clients of forwards. */
  get size(): number {
    return this.#flows.size + this.#clients.size;
  }

  /** Opens a forwarded port of the host. Rejects with a `VivariumError` when it cannot be had. */
  async forward(forward: PortForward): Promise<HostListener> {
    const socket = await this.#host.bindDatagrams(forward.hostAddress, forward.hostPort, {
      message: (bytes, address, port) => {
        this.#receiveForClient(socket, forward, bytes, address, port);
      },
    });
    return socket;
  }

  /** Closes the sockets of all flows and forgets all clients; forwarded ports stay open. */
  clear(): void {
    for (const { socket, timer } of this.#flows.values()) {
      timer.cancel();
      socket.close();
    }
    for (const { timer } of this.#clients.values()) timer.cancel();
    this.#flows.clear();
    this.#clients.clear();
    this.#clientPorts.clear();
  }

  #receive(packet: IpPacket): void {
    const datagram = parseUdp(packet.payload);
    if (datagram === undefined) return;
    const { destination, source } = packet;
    if (datagram.destinationPort === DHCP_SERVER_PORT && packet.family === 4) {
      this.#receiveDhcp(datagram);
      return;
    }
    if (!isUnicast(source) || !isUnicast(destination) || datagram.destinationPort === 0) return;
    if (destination === PLAN[4].dns || destination === PLAN[6].dns) {
      this.#receiveDns(packet, datagram);
      return;
    }
    const client = isOurs(destination) ? this.#clients.get(datagram.destinationPort) : undefined;
    if (client !== undefined) {
      client.timer.arm(this.#timers.now() + IDLE);
      client.reply.send(datagram.data, client.address, client.port);
      return;
    }
    const isHost = destination === PLAN[4].gateway || destination === PLAN[6].gateway;
    if (!isHost && isOnLink(destination)) {
      this.#ip.sendUnreachable(packet, 'host');
      return;
    }
    if (!this.#policy.allows(destination, datagram.destinationPort)) {
      this.#ip.sendUnreachable(packet, 'prohibited');
      return;
    }
    this.#sendOut(packet, datagram);
  }

  #receiveDhcp(datagram: UdpDatagram): void {
    const answer = this.#dhcp.answer(datagram.data);
    if (answer === undefined) return;
    this.#ip.neighbours.learn(answer.destination, answer.mac);
    this.#send(
      PLAN[4].gateway,
      DHCP_SERVER_PORT,
      answer.destination,
      DHCP_CLIENT_PORT,
      answer.message,
    );
  }

  #receiveDns(packet: IpPacket, datagram: UdpDatagram): void {
    if (datagram.destinationPort !== DNS_PORT) {
      this.#ip.sendUnreachable(packet, 'port');
      return;
    }
    const { source, destination } = packet;
    const { sourcePort } = datagram;
    this.#dns.answer(datagram.data, (response) => {
      this.#send(destination, DNS_PORT, source, sourcePort, response);
    });
  }

  #sendOut(packet: IpPacket, datagram: UdpDatagram): void {
    const { destination } = packet;
    const { destinationPort } = datagram;
    const subnet = PLAN[packet.family];
    const address = destination === subnet.gateway ? subnet.hostLoopback : destination;
    const flow = this.#flowOf(packet.source, datagram.sourcePort);
    const peer = `${address} ${destinationPort}`;
    if (!flow.peers.has(peer)) {
      if (flow.peers.size >= MAX_PEERS) {
        const [oldest] = flow.peers.keys();
        if (oldest !== undefined) flow.peers.delete(oldest);
      }
      flow.peers.set(peer, { address: destination, port: destinationPort });
      if (destinationPort !== DNS_PORT) flow.idle = IDLE;
    }
    flow.timer.arm(this.#timers.now() + flow.idle);
    flow.socket.send(datagram.data, address, destinationPort);
  }

  #flowOf(guest: IpAddress, port: number): Flow {
    const key = `${guest} ${port}`;
    const known = this.#flows.get(key);
    if (known !== undefined) return known;
    if (this.#flows.size >= MAX_FLOWS) {
      const [oldest] = this.#flows.keys();
      if (oldest !== undefined) this.#closeFlow(oldest);
    }
    const peers: Flow['peers'] = new Map();
    const flow: Flow = {
      socket: this.#host.openDatagrams(familyOf(guest), {
        message: (bytes, from, fromPort) => {
          const peer = peers.get(`${from} ${fromPort}`);
          if (peer === undefined || bytes.length > MAX_DATA) return;
          flow.timer.arm(this.#timers.now() + flow.idle);
          this.#send(peer.address, peer.port, guest, port, bytes);
        },
      }),
      timer: this.#timers.timer(() => this.#closeFlow(key)),
      idle: IDLE_DNS,
      peers,
    };
    this.#flows.set(key, flow);
    return flow;
  }

  #closeFlow(key: string): void {
    const flow = this.#flows.get(key);
    if (flow === undefined) return;
    this.#flows.delete(key);
    flow.timer.cancel();
    flow.socket.close();
  }

  #receiveForClient(
    socket: HostDatagrams,
    forward: PortForward,
    bytes: Uint8Array,
    address: IpAddress,
    port: number,
  ): void {
    const key = `${forward.hostAddress} ${forward.hostPort} ${address} ${port}`;
    const ours = this.#clientPorts.get(key) ?? this.#admit(key, socket, address, port);
    if (ours === undefined || bytes.length > MAX_DATA) return;
    this.#clients.get(ours)?.timer.arm(this.#timers.now() + IDLE);
    this.#send(PLAN[4].gateway, ours, this.#dhcp.latestLease, forward.guestPort, bytes);
  }

  /** A port of the gateway for a new client. */
  #admit(key: string, reply: HostDatagrams, address: IpAddress, port: number): number | undefined {
    if (this.#clients.size >= MAX_FLOWS) return undefined;
    // The client's own port if it is free, which helps who reads logs.
    let ours = isLoopback(address) && !this.#clients.has(port) ? port : this.#nextClientPort;
    while (this.#clients.has(ours)) ours = ours >= 0xffff ? FIRST_CLIENT_PORT : ours + 1;
    this.#nextClientPort = ours >= 0xffff ? FIRST_CLIENT_PORT : ours + 1;
    const timer = this.#timers.timer(() => {
      this.#clients.delete(ours);
      this.#clientPorts.delete(key);
    });
    this.#clients.set(ours, { timer, address, port, reply });
    this.#clientPorts.set(key, ours);
    return ours;
  }

  #send(
    source: IpAddress,
    sourcePort: number,
    destination: IpAddress,
    destinationPort: number,
    data: Uint8Array,
  ): void {
    const start = this.#ip.payloadOffset(familyOf(destination));
    const bytes = writeUdp(this.#ip.scratch, start, sourcePort, destinationPort, data);
    this.#ip.send({
      source,
      destination,
      protocol: PROTOCOL_UDP,
      bytes,
      checksumOffset: UDP_CHECKSUM_OFFSET,
    });
  }
}
