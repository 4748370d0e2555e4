import { createSocket, type Socket } from 'node:dgram';
import type {
  HostDatagramEvents,
  HostDatagrams,
  HostListener,
  IpFamily,
} from '../../../net/mod.ts';
import { listenError } from './socket-errors.ts';

/** Datagrams that may wait to be sent; more are lost, as in a network. */
const MAX_WAITING = 512;

/** A UDP socket of the host as the network sees it. */
export class NodeDatagrams implements HostDatagrams {
  readonly #socket: Socket;

  constructor(family: IpFamily, events: HostDatagramEvents) {
    this.#socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
    this.#socket.on('message', (bytes, { address, port }) => {
      events.message(bytes, address.replace(/%.*$/, ''), port);
    });
    // A destination that cannot be reached is the sender's to notice.
    this.#socket.on('error', () => {});
  }

  /** Opens a socket on a port of the host. */
  static bind(
    address: string,
    port: number,
    events: HostDatagramEvents,
  ): Promise<HostListener & HostDatagrams> {
    const { promise, resolve, reject } = Promise.withResolvers<HostListener & HostDatagrams>();
    const datagrams = new NodeDatagrams(address.includes(':') ? 6 : 4, events);
    const socket = datagrams.#socket;
    const failed = (error: NodeJS.ErrnoException) => {
      datagrams.close();
      reject(listenError(error, 'UDP', address, port));
    };
    socket.once('error', failed);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', failed);
      resolve({
        port: socket.address().port,
        send: (bytes, to, toPort) => datagrams.send(bytes, to, toPort),
        close: () => datagrams.close(),
      });
    });
    return promise;
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    try {
      if (this.#socket.getSendQueueCount() > MAX_WAITING) return;
      this.#socket.send(bytes.slice(), port, address, () => {});
    } catch {
      // The socket is closed.
    }
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // It is closed already.
    }
  }
}
