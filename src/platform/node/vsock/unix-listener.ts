/**
 * The Unix socket through which programs of the host reach a guest's sockets. A program connects, writes `CONNECT PORT` and a
 * line end, and reads `OK PORT`, the port at this end; from there on it is connected with the guest. If nobody listens in the
 * guest, the connection is closed instead. (The convention is Firecracker's.)
 */
import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { VivariumError } from '../../../util/mod.ts';
import type { HostPipe, VsockHub } from '../../../vsock/mod.ts';
import { reasonOf } from '../disk/mod.ts';
import { UnixPipe } from './unix-pipe.ts';

/** Room for a path in a Unix socket's address, unix(7), with the zero at its end and a port behind it. */
const MAX_PATH_BYTES = 107 - '_4294967295'.length;
const MAX_COMMAND_BYTES = 32;
const MAX_PORT = 2 ** 32 - 2;

/** Opens streams to programs of the host: `PATH_PORT` is where a program listens for connections of the guest. */
export function connectUnix(
  path: string,
  port: number,
  events: ConstructorParameters<typeof UnixPipe>[1],
): HostPipe {
  return new UnixPipe(connect({ path: `${path}_${port}`, allowHalfOpen: true }), events);
}

/** Listens for programs that want to reach the guest. Rejects with a `VivariumError`. */
export async function listenUnix(path: string, hub: VsockHub): Promise<Server> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new VivariumError('vsock-unusable', `the path ${path} is too long for a Unix socket`);
  }
  const server = createServer({ allowHalfOpen: true }, (socket) => new Caller(socket, hub));
  try {
    await listen(server, path);
  } catch (error) {
    const isLeftOver =
      (error as NodeJS.ErrnoException).code === 'EADDRINUSE' && (await isDead(path));
    if (!isLeftOver) throw refusal(path, error);
    unlinkSync(path);
    await listen(server, path).catch((again: unknown) => {
      throw refusal(path, again);
    });
  }
  chmodSync(path, 0o600);
  server.on('error', () => {}); // a connection that could not be accepted
  return server;
}

function listen(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, () => {
    server.off('error', reject);
    resolve();
  });
  return promise;
}

/** True for a socket behind which there is nobody any more. */
async function isDead(path: string): Promise<boolean> {
  if (!lstatSync(path).isSocket()) return false;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once('connect', () => resolve(false));
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  const result = await promise;
  socket.destroy();
  return result;
}

function refusal(path: string, error: unknown): VivariumError {
  const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  // Node takes a directory that is not there for one that may not be entered.
  const isNowhere = !existsSync(dirname(path));
  const known = isTaken ? 'there is such a file already' : 'there is no such directory';
  const reason = isTaken || isNowhere ? known : reasonOf(error);
  return new VivariumError('vsock-unusable', `cannot listen on ${path}: ${reason}`, {
    cause: error,
  });
}

/** A program that has connected and says where to. */
class Caller {
  readonly #socket: Socket;
  readonly #hub: VsockHub;
  #command = Buffer.alloc(0);

  constructor(socket: Socket, hub: VsockHub) {
    this.#socket = socket;
    this.#hub = hub;
    socket.on('error', () => {});
    socket.on('data', this.#read);
    socket.on('end', this.#leave);
  }

  readonly #leave = () => this.#socket.destroy();

  readonly #read = (bytes: Buffer) => {
    this.#command = Buffer.concat([this.#command, bytes]);
    const end = this.#command.indexOf('\n');
    if (end < 0 && this.#command.length <= MAX_COMMAND_BYTES) return;
    const port = /^CONNECT (\d{1,10})\r?$/.exec(this.#command.toString('latin1', 0, end))?.[1];
    if (port === undefined || Number(port) > MAX_PORT) this.#socket.destroy();
    else this.#call(Number(port), this.#command.subarray(end + 1));
  };

  #call(port: number, rest: Buffer): void {
    const socket = this.#socket;
    socket.off('data', this.#read);
    socket.off('end', this.#leave);
    socket.pause();
    const connection = this.#hub.connect(port, (hostPort) => {
      socket.write(`OK ${hostPort}\n`);
      if (rest.length > 0) connection?.data(rest);
    });
    if (connection === undefined) socket.destroy();
    else connection.attach(new UnixPipe(socket, connection));
  }
}
