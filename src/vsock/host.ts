/** What the hub needs of its host: streams of bytes, Unix sockets in practice. */

/** A stream of the host that a connection leads to. */
export interface HostPipe {
  /** Sends bytes, which are the caller's again at once; `events.written` tells when they are on their way. */
  write(bytes: Uint8Array): void;
  /** Says that nothing more will be written, once all that was is on its way. */
  end(): void;
  /** Ends both ways, now. */
  destroy(): void;
  /** Stops and continues `events.data`. */
  pause(): void;
  resume(): void;
}

export interface HostPipeEvents {
  /** The other end is there. Only for streams that the hub has opened. */
  opened(): void;
  /** Bytes from the other end, lent for the time of the call. */
  data(bytes: Uint8Array): void;
  /** So many bytes more have left. */
  written(bytes: number): void;
  /** The other end will send nothing more. */
  ended(): void;
  /** The stream is gone: it could not be opened, it broke, or it was destroyed. Nothing comes after this. */
  closed(): void;
}

export interface VsockHost {
  /** Opens what stands for `port` of the host. */
  connect(port: number, events: HostPipeEvents): HostPipe;
}
