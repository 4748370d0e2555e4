import type { TcpConnection, TcpEnding, TcpEvents } from '../tcp/connection.ts';
import { TCP_BUFFER_BYTES } from '../tcp/connection.ts';
import type { HostFailure, HostStream, HostStreamEvents } from './host.ts';

/**
 * Joins a TCP connection of the guest to one of the host. Each side is read only as fast as the other takes: the
 * guest sees its window shrink while the host is behind, and the host's socket is not read while the guest is.
 */
export class TcpBridge {
  /** set once both ends exist */
  connection: TcpConnection | undefined;
  stream: HostStream | undefined;
  /** what happens when the host cannot connect; by default the guest is reset */
  connectFailed: ((failure: HostFailure) => void) | undefined;
  #isPaused = false;
  #hasConnected = false;

  /** What the guest's end tells. */
  readonly guestEvents: TcpEvents = {
    established: () => {},
    data: (bytes) => {
      const { stream } = this;
      if (stream === undefined) return;
      stream.write(bytes.slice());
      this.#tellRoom();
    },
    ended: () => this.stream?.end(),
    sendable: () => {
      if (!this.#isPaused) return;
      this.#isPaused = false;
      this.stream?.resume();
    },
    closed: (ending: TcpEnding) => {
      if (ending !== 'finished') this.stream?.reset();
    },
  };

  /** What the host's end tells. */
  readonly hostEvents: HostStreamEvents = {
    connected: () => {
      this.#hasConnected = true;
      this.connection?.accept();
    },
    data: (bytes) => {
      const { connection, stream } = this;
      if (connection === undefined) return;
      connection.push(bytes);
      if (connection.sendRoom > 0 || this.#isPaused) return;
      this.#isPaused = true;
      stream?.pause();
    },
    ended: () => this.connection?.end(),
    drained: () => this.#tellRoom(),
    closed: (failure) => {
      this.stream = undefined;
      if (failure === undefined) return;
      if (!this.#hasConnected && this.connectFailed !== undefined) this.connectFailed(failure);
      else this.connection?.abort();
    },
  };

  /** Drops both ends. */
  reset(): void {
    this.stream?.reset();
    this.stream = undefined;
    this.connection?.abort();
  }

  #tellRoom(): void {
    this.connection?.setReceiveRoom(TCP_BUFFER_BYTES - (this.stream?.backlog ?? 0));
  }
}
