import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { SwitchPort } from '../../../net/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import { reasonOf } from '../disk/reason.ts';
import { joinSocket } from './peer-socket.ts';

const SUFFIX = '.sock';
/** `sun_path` of unix(7) has 108 bytes, the last of which is zero. */
const MAX_SOCKET_PATH = 107;
/** A socket that nobody answers is removed when it is older than this; a younger one may be about to listen. */
const STALE_MILLISECONDS = 10_000;
/** Now and then the directory is looked through again, in case two ports have missed each other. */
const LOOK_MILLISECONDS = 5000;

/** Where the ports of a switch of this user meet (XDG Base Directory Specification). */
export function defaultSwitchDirectory(name: string): string {
  const named = process.env['XDG_STATE_HOME'];
  const base =
    named !== undefined && isAbsolute(named) ? named : join(homedir(), '.local', 'state');
  return join(base, 'vivarium', 'switches', name);
}

/**
 * A directory, for its user alone, in which every port of a switch has a socket named for its id. A port opens its
 * own and then connects to all others; whoever comes later connects to it.
 */
export class SwitchDirectory {
  readonly socketPath: string;
  readonly #directory: string;
  readonly #port: SwitchPort;
  readonly #server: Server;
  /** ids that are being connected to */
  readonly #calls = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(directory: string, port: SwitchPort) {
    this.#directory = directory;
    this.#port = port;
    this.socketPath = join(directory, `${port.id}${SUFFIX}`);
    this.#server = createServer((socket) => joinSocket(port, socket, false));
  }

  /** Opens the port. Rejects with a `VivariumError` when the directory cannot be used. */
  async open(): Promise<void> {
    if (Buffer.byteLength(this.socketPath) > MAX_SOCKET_PATH) {
      throw this.#unavailable(
        `its path is longer than ${MAX_SOCKET_PATH} bytes; set XDG_STATE_HOME to a shorter one`,
      );
    }
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#server.once('error', reject).listen(this.socketPath, resolve);
      await promise;
    } catch (error) {
      throw this.#unavailable(reasonOf(error));
    }
    this.#server.on('error', () => {}); // a peer that could not be accepted
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MILLISECONDS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#server.close(); // removes the socket
    this.#port.close();
  }

  /** Connects to every port that there is and that is not connected. */
  #look(): void {
    let names: string[] = [];
    try {
      names = readdirSync(this.#directory);
    } catch {
      // Somebody has removed the directory; who is connected stays so.
    }
    const known = new Set([this.#port.id, ...this.#port.peers, ...this.#calls]);
    for (const name of names) {
      const id = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : undefined;
      if (id !== undefined && !known.has(id)) this.#call(id);
    }
  }

  #call(id: string): void {
    const path = join(this.#directory, `${id}${SUFFIX}`);
    const socket: Socket = connect(path);
    this.#calls.add(id);
    const failed = (error: NodeJS.ErrnoException) => {
      this.#calls.delete(id);
      if (error.code === 'ECONNREFUSED' && isOld(path)) rmSync(path, { force: true });
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      this.#calls.delete(id);
      socket.off('error', failed);
      joinSocket(this.#port, socket, true);
    });
  }

  #unavailable(reason: string): VivariumError {
    return new VivariumError(
      'switch-unavailable',
      `cannot use ${this.#directory} for the switch: ${reason}`,
    );
  }
}

function isOld(path: string): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  return status !== undefined && Date.now() - status.mtimeMs > STALE_MILLISECONDS;
}
