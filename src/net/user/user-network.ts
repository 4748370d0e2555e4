/**
 * The user-mode network: a router, a DHCP and a name server at the other end of a machine's link, made of sockets of
 * the host. It needs no privileges and does no I/O itself; `HostSockets` does.
 *
 * ```
 *   guest ── Link ── IpLayer ─┬─ TcpLayer ── TcpConnection ── TcpBridge ── HostStream
 *                             ├─ UdpLayer ─┬─ HostDatagrams
 *                             │            ├─ DhcpServer
 *                             │            └─ DnsProxy ── HostSockets.resolve
 *                             └─ IcmpLayer ── HostSockets.echo
 * ```
 */

import type { FrameOffload, Link, LinkReceiver } from '../../bus/mod.ts';
import type { NetClock } from '../clock.ts';
import { TimerQueue } from '../timer-queue.ts';
import type { PortForward, UserNetworkConfig } from './config.ts';
import { DhcpServer } from './dhcp-server.ts';
import { DnsProxy } from './dns-proxy.ts';
import type { HostListener, HostSockets } from './host.ts';
import { IcmpLayer } from './icmp-layer.ts';
import { IpLayer } from './ip-layer.ts';
import { Policy } from './policy.ts';
import { TcpLayer } from './tcp-layer.ts';
import { UdpLayer } from './udp-layer.ts';

export interface UserNetworkOptions {
  readonly link: Link;
  readonly clock: NetClock;
  readonly host: HostSockets;
  /** 32 random bits, hard to guess: first sequence numbers */
  readonly random: () => number;
  readonly config: UserNetworkConfig;
}

/** A forwarded port and where it is open on the host. */
export interface OpenForward {
  readonly forward: PortForward;
  /** as given, or what the host chose */
  readonly hostPort: number;
}

export class UserNetwork implements LinkReceiver {
  readonly #ip: IpLayer;
  readonly #dhcp = new DhcpServer();
  readonly #icmp: IcmpLayer;
  readonly #tcp: TcpLayer;
  readonly #udp: UdpLayer;
  readonly #timers: TimerQueue;
  readonly #config: UserNetworkConfig;
  readonly #listeners: HostListener[] = [];

  constructor(options: UserNetworkOptions) {
    const { link, host, config } = options;
    const timers = new TimerQueue(options.clock);
    const policy = new Policy(config.allow, () => timers.now());
    const ip = new IpLayer(link, timers);
    this.#config = config;
    this.#timers = timers;
    this.#ip = ip;
    this.#icmp = new IcmpLayer(ip, host, policy, timers);
    const dns = new DnsProxy(host, policy);
    this.#udp = new UdpLayer({ ip, host, timers, policy, dhcp: this.#dhcp, dns });
    this.#tcp = new TcpLayer({
      ip,
      link,
      host,
      timers,
      policy,
      random: options.random,
      guestAddress: () => this.#dhcp.latestLease,
    });
    link.connect(this);
    link.accept({ checksum: true, tcp4: true, tcp6: true });
  }

  /** Opens the forwarded ports. Rejects with a `VivariumError` for the first that cannot be had, with none open. */
  async open(): Promise<OpenForward[]> {
    const open: OpenForward[] = [];
    try {
      for (const forward of this.#config.forwards) {
        const layer = forward.protocol === 'udp' ? this.#udp : this.#tcp;
        const listener = await layer.forward(forward);
        this.#listeners.push(listener);
        open.push({ forward, hostPort: listener.port });
      }
      return open;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Connections and flows that exist now. */
  get size(): { readonly tcp: number; readonly udp: number } {
    return { tcp: this.#tcp.size, udp: this.#udp.size };
  }

  receive(frame: Uint8Array, offload: FrameOffload): boolean {
    this.#ip.receive(frame, offload);
    return true;
  }

  settled(): void {
    this.#tcp.settle();
  }

  ready(): void {
    this.#tcp.resume();
  }

  /** Another guest is at the link: all that went on with the last one ends. Forwarded ports stay open. */
  restarted(): void {
    this.#tcp.clear();
    this.#udp.clear();
    this.#icmp.clear();
    this.#dhcp.clear();
    this.#ip.clear();
  }

  /** Ends everything and closes the forwarded ports. */
  close(): void {
    this.restarted();
    for (const listener of this.#listeners.splice(0)) listener.close();
    this.#timers.close();
  }
}
