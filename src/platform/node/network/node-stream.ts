import { connect, type Socket } from 'node:net';
import type { HostFailure, HostStream, HostStreamEvents } from '../../../net/mod.ts';
import { failureOf } from './socket-errors.ts';

/** A TCP socket of the host as the network sees it. */
export class NodeStream implements HostStream {
  readonly #socket: Socket;
  #events: HostStreamEvents | undefined;
  #failure: HostFailure | undefined;

  /** `socket` may end one direction before the other. */
  constructor(socket: Socket, events: HostStreamEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('connect', () => this.#events?.connected());
    socket.on('data', (bytes: Buffer) => this.#events?.data(bytes));
    socket.on('end', () => this.#events?.ended());
    socket.on('error', (error) => {
      this.#failure ??= failureOf(error);
    });
    socket.on('close', () => this.#closed());
  }

  /** Connects to `port` at `address`. */
  static connect(address: string, port: number, events: HostStreamEvents): NodeStream {
    return new NodeStream(connect({ host: address, port, allowHalfOpen: true }), events);
  }

  get backlog(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.writable) return;
    this.#socket.write(bytes, (error) => {
      if (!error) this.#events?.drained();
    });
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  reset(): void {
    this.#events = undefined;
    if (this.#socket.connecting) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #closed(): void {
    const socket = this.#socket;
    const isWhole = socket.readableEnded && socket.writableFinished;
    this.#events?.closed(this.#failure ?? (isWhole ? undefined : 'reset'));
    this.#events = undefined;
  }
}
