import { createServer } from 'node:net';
import type {
  AcceptStream,
  HostDatagramEvents,
  HostDatagrams,
  HostListener,
  HostSockets,
  HostStream,
  HostStreamEvents,
  IpFamily,
} from '../../../net/mod.ts';
import { echo } from './echo.ts';
import { hostsFileAddresses } from './hosts-file.ts';
import { askNameServers, nameServers } from './name-servers.ts';
import { NodeDatagrams } from './node-datagrams.ts';
import { NodeStream } from './node-stream.ts';
import { listenError } from './socket-errors.ts';

/** Connections that may wait to be accepted. */
const BACKLOG = 1024;

/** The host's sockets by way of Node. */
export class NodeSockets implements HostSockets {
  connect(address: string, port: number, events: HostStreamEvents): HostStream {
    return NodeStream.connect(address, port, events);
  }

  openDatagrams(family: IpFamily, events: HostDatagramEvents): HostDatagrams {
    return new NodeDatagrams(family, events);
  }

  listen(
    address: string,
    port: number,
    accepted: (accept: AcceptStream) => void,
  ): Promise<HostListener> {
    const { promise, resolve, reject } = Promise.withResolvers<HostListener>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      accepted((events) => new NodeStream(socket, events));
    });
    server.once('error', (error) => reject(listenError(error, 'TCP', address, port)));
    server.listen({ host: address, port, backlog: BACKLOG, exclusive: true }, () => {
      server.on('error', () => {}); // a connection that could not be accepted
      const bound = server.address();
      resolve({
        port: typeof bound === 'object' && bound !== null ? bound.port : port,
        close: () => server.close(),
      });
    });
    return promise;
  }

  bindDatagrams(
    address: string,
    port: number,
    events: HostDatagramEvents,
  ): Promise<HostListener & HostDatagrams> {
    return NodeDatagrams.bind(address, port, events);
  }

  hostNames(name: string): Promise<readonly string[]> {
    return hostsFileAddresses(name);
  }

  resolve(query: Uint8Array): Promise<Uint8Array | undefined> {
    return askNameServers(query);
  }

  nameServer(): { readonly address: string; readonly port: number } | undefined {
    return nameServers()[0];
  }

  echo(address: string, bytes: number): Promise<boolean> {
    return echo(address, bytes);
  }
}
