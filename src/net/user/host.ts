/**
 * What the user-mode network needs of its host: sockets, name servers, echo. Implemented on Node's sockets in
 * `platform`, and by tests. Nothing here blocks; events arrive later, never within a call.
 */
import type { IpAddress, IpFamily } from '../address.ts';

/** Why the host could not do something. */
export type HostFailure = 'refused' | 'unreachable' | 'timeout' | 'reset' | 'failed';

export interface HostStreamEvents {
  /** An outgoing stream is connected. Not called for accepted ones. */
  connected(): void;
  /** Bytes arrived; they are the receiver's to keep. */
  data(bytes: Uint8Array): void;
  /** The other side will send no more. */
  ended(): void;
  /** `backlog` became smaller. */
  drained(): void;
  /** The stream is gone: without a failure when both directions were ended. Last, and not called after `reset`. */
  closed(failure: HostFailure | undefined): void;
}

/** A TCP connection of the host. */
export interface HostStream {
  /** Queues bytes, which belong to the stream from now on. */
  write(bytes: Uint8Array): void;
  /** bytes queued and not yet taken by the host */
  readonly backlog: number;
  /** No more bytes will be written; what is queued still goes out. */
  end(): void;
  /** Stops `data` events, so that the other side is held back. */
  pause(): void;
  resume(): void;
  /** Drops the connection; the other side sees a reset. */
  reset(): void;
}

export interface HostDatagramEvents {
  /** The bytes are lent for the time of the call. */
  message(bytes: Uint8Array, address: IpAddress, port: number): void;
}

/** A UDP socket of the host. */
export interface HostDatagrams {
  /** Sends a copy of `bytes`; failures are silent, as in the network. */
  send(bytes: Uint8Array, address: IpAddress, port: number): void;
  close(): void;
}

/** Something of the host that waits for others to come. */
export interface HostListener {
  readonly port: number;
  close(): void;
}

/** An accepted connection, still without anyone who listens to it. */
export type AcceptStream = (events: HostStreamEvents) => HostStream;

export interface HostSockets {
  /** Connects to `port` at `address`. */
  connect(address: IpAddress, port: number, events: HostStreamEvents): HostStream;
  /** Opens a socket with a port that the host chooses. */
  openDatagrams(family: IpFamily, events: HostDatagramEvents): HostDatagrams;
  /** Rejects with a `VivariumError` when the port cannot be had. */
  listen(
    address: IpAddress,
    port: number,
    accepted: (accept: AcceptStream) => void,
  ): Promise<HostListener>;
  /** As `listen`, for datagrams. */
  bindDatagrams(
    address: IpAddress,
    port: number,
    events: HostDatagramEvents,
  ): Promise<HostListener & HostDatagrams>;
  /** Addresses that the host itself, without asking anyone, has for `name` (lower case). */
  hostNames(name: string): Promise<readonly IpAddress[]>;
  /** Puts a DNS query to the host's name servers; undefined when none answers. */
  resolve(query: Uint8Array): Promise<Uint8Array | undefined>;
  /** Address of a name server that takes queries over TCP, if the host knows one. */
  nameServer(): { readonly address: IpAddress; readonly port: number } | undefined;
  /** Whether `address` answers an echo request with `bytes` of data; false when the host may not ask. */
  echo(address: IpAddress, bytes: number): Promise<boolean>;
}
