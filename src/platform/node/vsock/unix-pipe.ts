import type { Socket } from 'node:net';
import type { HostPipe, HostPipeEvents } from '../../../vsock/mod.ts';

/** A Unix socket as one end of a guest's connection. */
export class UnixPipe implements HostPipe {
  readonly #socket: Socket;
  readonly #events: HostPipeEvents;

  /** @param socket made with `allowHalfOpen` */
  constructor(socket: Socket, events: HostPipeEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on('data', (bytes: Uint8Array) => events.data(bytes));
    socket.on('end', () => events.ended());
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => events.closed());
    if (socket.connecting) socket.once('connect', () => events.opened());
  }

  write(bytes: Uint8Array): void {
    const { length } = bytes;
    // The bytes are lent; the socket may keep them for a while.
    this.#socket.write(Buffer.from(bytes), (error) => {
      if (error === undefined || error === null) this.#events.written(length);
    });
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}
