/**
 * The control socket of a machine: HTTP/1.1 on a Unix socket, so that any program can speak with it,
 * as in `curl --unix-socket control.sock http://viv/`. Requests and their answers are in
 * `control-routes.ts`. `GET /console` with `Upgrade: console` turns the connection into the serial line,
 * `GET /ssh` with `Upgrade: ssh` into one with the guest's SSH server.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Machine } from '../client/mod.ts';
import { VivariumError } from '../util/mod.ts';
import { type ControlAnswer, controlRoutes } from './control-routes.ts';
import { type SocketPath, socketPath } from './control-socket.ts';
import { connectGuestSsh } from './guest-ssh.ts';
import type { MachineRecord } from './machine-record.ts';

/** Bytes that a request may carry. */
const REQUEST_LIMIT = 1 << 20;
/** Console bytes that may wait for somebody who does not read; then they are disconnected. */
const CONSOLE_LIMIT = 4 << 20;

/** What a control socket speaks for. */
export interface Controlled {
  readonly machine: Machine;
  readonly record: MachineRecord;
  /** the Unix socket of its vsock, if it has one */
  readonly vsock?: string | undefined;
}

export class ControlServer {
  #address: SocketPath;
  #server: Server;
  #controlled: Controlled | undefined;
  #sockets = new Set<Socket>();

  private constructor(address: SocketPath) {
    this.#address = address;
    this.#server = createServer((request, response) => void this.#handle(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    this.#server.on('upgrade', (request, socket) => void this.#upgrade(request, socket as Socket));
    // A machine that starts does not wait for those who ask about it.
    this.#server.unref();
  }

  /** Answers on the control socket in `directory`, which may be renamed afterwards. */
  static async listen(directory: string): Promise<ControlServer> {
    const server = new ControlServer(socketPath(directory));
    server.#server.listen(server.#address.path);
    await once(server.#server, 'listening');
    return server;
  }

  /** From now on answers for this machine; before, says that it is starting. */
  serve(controlled: Controlled): void {
    this.#controlled = controlled;
  }

  /** Ends every conversation. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#address.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://viv');
      const body = await readBody(request);
      const route = controlRoutes[`${request.method} ${url.pathname}`];
      if (route === undefined) {
        throw new VivariumError(
          'request-unknown',
          `${request.method} ${url.pathname} is no request`,
        );
      }
      send(response, await route({ ...this.#expectMachine(), body, query: url.searchParams }));
    } catch (error) {
      sendError(response, error);
    }
  }

  async #upgrade(request: IncomingMessage, socket: Socket): Promise<void> {
    try {
      const { machine, vsock } = this.#expectMachine();
      const path = request.url?.slice(1) ?? '';
      if (path === 'console') {
        await switchProtocol(socket, path);
        await serveConsole(machine, socket);
      } else if (path === 'ssh') {
        const guest = await connectGuestSsh(machine, vsock);
        await switchProtocol(socket, path);
        await pipeline(socket, guest, socket);
      } else throw new VivariumError('request-unknown', `GET /${path} is no request`);
    } catch (error) {
      if (socket.bytesWritten > 0) socket.destroy();
      else refuseUpgrade(socket, error);
    }
  }

  #expectMachine(): Controlled {
    if (this.#controlled !== undefined) return this.#controlled;
    throw new VivariumError('machine-starting', 'the machine is still being made ready; try again');
  }
}

/** Ends HTTP on a connection: from now on it carries what the protocol does. */
async function switchProtocol(socket: Socket, protocol: string): Promise<void> {
  const head = `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n\r\n`;
  await new Promise<void>((resolve) => socket.write(head, () => resolve()));
}

/** Connects a socket with the console until either is gone. The guest does not wait for this reader. */
async function serveConsole({ console }: Machine, socket: Socket): Promise<void> {
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  socket.on('data', (bytes) => {
    socket.pause();
    console.write(bytes).then(
      () => socket.resume(),
      () => socket.destroy(),
    );
  });
  // Whoever comes to a prompt that waits should see it.
  socket.write(console.currentLine);
  for await (const bytes of console.bytes(gone.signal)) {
    socket.write(bytes);
    if (socket.writableLength > CONSOLE_LIMIT) socket.destroy();
  }
  socket.end();
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > REQUEST_LIMIT)
      throw new VivariumError('request-too-long', 'the request is too long');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, answer: ControlAnswer): void {
  if (answer instanceof Uint8Array) {
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(answer);
    return;
  }
  const text = JSON.stringify(answer ?? {}, (_, value) =>
    typeof value === 'bigint' ? Number(value) : value,
  );
  response.writeHead(200, { 'content-type': 'application/json' }).end(text);
}

function refuseUpgrade(socket: Socket, error: unknown): void {
  const { status, body } = describeError(error);
  socket.end(
    `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function sendError(response: ServerResponse, error: unknown): void {
  const { status, body } = describeError(error);
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}

/** A sentence for what the caller can mend; other failures are ours. */
function describeError(error: unknown): { status: number; body: string } {
  const isUsers = error instanceof VivariumError;
  const code = isUsers ? error.code : 'fault';
  const body = JSON.stringify({ code, message: (error as Error).message });
  return { status: isUsers ? 409 : 500, body };
}
