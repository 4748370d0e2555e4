import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { type MachineConsole, VivariumError, why } from '../../client/mod.ts';
import type { Departure, Serial } from './serial.ts';

/** How long the last bytes may take to reach a client that does not read, in milliseconds. */
const LINGER = 1000;

/**
 * `--serial unix:PATH`: a listening socket; whoever connects has the guest's console. One client at a
 * time; the next may come when it has gone. Output before the first client is kept as far as the
 * console keeps it, output between two clients likewise.
 */
export class SocketSerial implements Serial {
  readonly isAtLineStart = true;
  #path: string;
  #server: Server;
  #departure = Promise.withResolvers<Departure>();
  #console: MachineConsole | undefined;
  #client: Socket | undefined;
  #printing: Promise<void> = Promise.resolve();

  private constructor(path: string) {
    this.#path = path;
    this.#server = createServer((client) => this.#accept(client));
  }

  /** Listens on `path`; a socket that a dead process left there is replaced. */
  static async listen(path: string): Promise<SocketSerial> {
    const serial = new SocketSerial(path);
    try {
      await serial.#listen();
    } catch (error) {
      // Node takes a directory that is not there for one that may not be entered.
      const reason = existsSync(dirname(path)) ? why(error) : 'there is no such directory';
      const message = `cannot listen on ${path}: ${reason}`;
      throw new VivariumError('serial-unusable', message, { cause: error });
    }
    process.on('exit', serial.#remove);
    return serial;
  }

  connect(console: MachineConsole): void {
    this.#console = console;
    if (this.#client !== undefined) this.#serve(this.#client);
  }

  get departure(): Promise<Departure> {
    return this.#departure.promise;
  }

  async drain(): Promise<void> {
    await this.#printing;
    const client = this.#client;
    if (client === undefined) return;
    const timer = setTimeout(() => client.destroy(), LINGER);
    const closed = once(client, 'close');
    client.end();
    await closed;
    clearTimeout(timer);
  }

  close(): void {
    this.#client?.destroy();
    this.#server.close();
    process.off('exit', this.#remove);
    this.#remove();
  }

  #remove = () => rmSync(this.#path, { force: true });

  async #listen(): Promise<void> {
    for (const isRetry of [false, true]) {
      this.#server.listen(this.#path);
      try {
        await once(this.#server, 'listening');
        return;
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (isRetry || !isTaken || !(await isAbandoned(this.#path))) throw error;
        this.#remove();
      }
    }
  }

  #accept(client: Socket): void {
    if (this.#client !== undefined) {
      client.end('viv: somebody else is connected to this console\r\n');
      return;
    }
    this.#client = client;
    client.on('error', () => client.destroy());
    client.on('close', () => {
      this.#client = undefined;
    });
    if (this.#console !== undefined) this.#serve(client);
  }

  #serve(client: Socket): void {
    const console = this.#console as MachineConsole;
    client.on('data', (bytes) => {
      client.pause();
      console.write(bytes).then(
        () => client.resume(),
        () => {},
      );
    });
    this.#printing = print(console, client);
  }
}

/** Copies the console to a client until one of them ends. */
async function print(console: MachineConsole, client: Socket): Promise<void> {
  const gone = new AbortController();
  client.on('close', () => gone.abort());
  for await (const bytes of console.bytes(gone.signal)) {
    await new Promise<void>((resolve) => client.write(bytes, () => resolve()));
  }
}

/** True when a socket file has nobody behind it. */
async function isAbandoned(path: string): Promise<boolean> {
  const probe = connect(path);
  try {
    await once(probe, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    probe.destroy();
  }
}
