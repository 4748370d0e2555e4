/** Puts DNS queries to the name servers that the host is configured with. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import dns from 'node:dns';

const DNS_PORT = 53;
/** How long each server may take, the first and the second time it is asked, in milliseconds. */
const PATIENCE = [1500, 4000] as const;
const MAX_SERVERS = 3;

export interface NameServer {
  readonly address: string;
  readonly port: number;
}

/** The host's name servers, the preferred one first. */
export function nameServers(): NameServer[] {
  return dns
    .getServers()
    .slice(0, MAX_SERVERS)
    .map((text) => {
      // `address`, `address:port` or `[address]:port`
      const [, bracketed, plain, port] =
        /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? ([] as undefined[]);
      const address = bracketed ?? plain ?? text;
      return { address, port: port === undefined ? DNS_PORT : Number(port) };
    });
}

/** The response to `query`, from the first server that gives one; undefined when none does. */
export async function askNameServers(query: Uint8Array): Promise<Uint8Array | undefined> {
  for (const patience of PATIENCE) {
    for (const server of nameServers()) {
      const response = await ask(server, query, patience);
      if (response !== undefined) return response;
    }
  }
  return undefined;
}

/** Each query has a socket, and so a port, and an identifier of its own: answers are hard to forge. */
function ask(
  server: NameServer,
  query: Uint8Array,
  patience: number,
): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
  const own = Buffer.from(query);
  const id = randomInt(0x1_0000);
  own.writeUInt16BE(id, 0);
  const timer = setTimeout(() => finish(undefined), patience);
  const finish = (response: Uint8Array | undefined) => {
    clearTimeout(timer);
    socket.removeAllListeners();
    socket.on('error', () => {});
    socket.close();
    resolve(response);
  };
  socket.on('error', () => finish(undefined));
  socket.on('message', (message) => {
    if (message.length < 12 || message.readUInt16BE(0) !== id) return;
    const response = Uint8Array.from(message);
    response.set(query.subarray(0, 2), 0);
    finish(response);
  });
  socket.connect(server.port, server.address, () => socket.send(own));
  return promise;
}
