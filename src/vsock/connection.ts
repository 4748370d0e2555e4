/**
 * One connection between guest and host. VIRTIO 1.2, section 5.10.6: each side tells how much it has room for and how
 * much of that has been taken, and the other never sends more.
 */
import type { HostPipe, HostPipeEvents } from './host.ts';
import { OP, type PacketHeader, SHUTDOWN_BOTH, SHUTDOWN_RECEIVE, SHUTDOWN_SEND } from './packet.ts';

/** Bytes of the guest that may wait for the host's stream. */
export const BUFFER_BYTES = 256 * 1024;
/** The guest is told when so much room has come back. */
const TELL_BYTES = BUFFER_BYTES / 4;
/** Payload of one packet, at most. */
const MAX_PAYLOAD_BYTES = 32 * 1024;

/** What a connection needs of the hub. */
export interface ConnectionOwner {
  /** Sends a packet to the guest. False when the link is full: the caller stops sending data until `ready`. */
  send(connection: Connection, op: number, flags?: number, payload?: Uint8Array): boolean;
  /** The connection is over; it is the guest's to use the ports again. */
  remove(connection: Connection): void;
}

export class Connection implements HostPipeEvents {
  readonly hostPort: number;
  readonly guestPort: number;
  readonly #owner: ConnectionOwner;
  #pipe: HostPipe | undefined;
  /** what to do when the guest accepts; undefined when the guest has asked */
  readonly #accepted: ((hostPort: number) => void) | undefined;
  #state: 'opening' | 'open' | 'over' = 'opening';
  /** bytes from the guest: received, handed on, and what the guest was told of that */
  #received = 0;
  #taken = 0;
  #told = 0;
  /** bytes to the guest: sent, and what it says of its buffer */
  #sent = 0;
  #guestBuffer = 0;
  #guestTaken = 0;
  /** data of the host that waits for room in the guest */
  #backlog: Uint8Array[] = [];
  #hostHasEnded = false;
  #toldShutdown = 0;
  #guestShutdown = 0;

  constructor(
    owner: ConnectionOwner,
    ports: { readonly hostPort: number; readonly guestPort: number },
    accepted?: (hostPort: number) => void,
  ) {
    this.#owner = owner;
    this.hostPort = ports.hostPort;
    this.guestPort = ports.guestPort;
    this.#accepted = accepted;
  }

  attach(pipe: HostPipe): void {
    this.#pipe = pipe;
    if (this.#state === 'over') pipe.destroy();
  }

  /** What every packet tells of our buffer. */
  get taken(): number {
    this.#told = this.#taken;
    return this.#taken >>> 0;
  }

  // From the guest.

  /** Takes the request that began this connection. */
  requested(header: PacketHeader): void {
    this.#guestBuffer = header.bufferBytes;
    this.#guestTaken = header.taken;
  }

  /** Takes a later packet of this connection. */
  receive(header: PacketHeader, payload: Uint8Array): void {
    this.#guestBuffer = header.bufferBytes;
    this.#guestTaken = header.taken;
    if (header.op === OP.RST) this.#finish();
    else if (this.#serve(header, payload)) this.pump();
    else this.reset();
  }

  /** False when the guest does not keep to the rules. */
  #serve(header: PacketHeader, payload: Uint8Array): boolean {
    switch (header.op) {
      case OP.RESPONSE:
        if (this.#state !== 'opening' || this.#accepted === undefined) return false;
        this.#state = 'open';
        this.#accepted(this.hostPort);
        return true;
      case OP.RW:
        return this.#receiveData(payload);
      case OP.SHUTDOWN:
        if (this.#state !== 'open') return false;
        this.#shutDown(header.flags & SHUTDOWN_BOTH);
        return true;
      case OP.CREDIT_UPDATE:
        return true;
      case OP.CREDIT_REQUEST:
        this.#owner.send(this, OP.CREDIT_UPDATE);
        return true;
      default:
        return false; // a second request, or nothing that we know
    }
  }

  #receiveData(payload: Uint8Array): boolean {
    const isAllowed = this.#state === 'open' && (this.#guestShutdown & SHUTDOWN_SEND) === 0;
    // Whoever sends more than there is room for does not keep to the rules.
    if (!isAllowed || this.#received + payload.length - this.#taken > BUFFER_BYTES) return false;
    this.#received += payload.length;
    if (payload.length > 0) this.#pipe?.write(payload);
    return true;
  }

  #shutDown(flags: number): void {
    const isNew = (flags & ~this.#guestShutdown) !== 0;
    this.#guestShutdown |= flags;
    if (!isNew) return;
    if (flags & SHUTDOWN_SEND) this.#pipe?.end();
    if (flags & SHUTDOWN_RECEIVE) {
      this.#backlog = [];
      this.#pipe?.resume(); // to hear of its end; the data is dropped
    }
    this.#endIfDone();
  }

  /** Ends the connection and tells the guest. */
  reset(): void {
    if (this.#state === 'over') return;
    this.#owner.send(this, OP.RST);
    this.#finish();
  }

  /** The guest is gone; there is nobody to tell. */
  abandon(): void {
    this.#finish();
  }

  #finish(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#backlog = [];
    this.#owner.remove(this);
    this.#pipe?.destroy();
  }

  /** The guest has closed its socket, and all that it sent has been handed on. */
  #endIfDone(): void {
    if (this.#guestShutdown !== SHUTDOWN_BOTH || this.#taken !== this.#received) return;
    this.reset(); // which tells the guest that the port is free again
  }

  // From the host.

  opened(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#owner.send(this, OP.RESPONSE);
  }

  data(bytes: Uint8Array): void {
    if (this.#state === 'over' || this.#guestShutdown & SHUTDOWN_RECEIVE) return;
    this.#backlog.push(bytes.slice());
    this.pump();
  }

  written(bytes: number): void {
    this.#taken += bytes;
    if (this.#state !== 'open') return;
    if (this.#taken - this.#told >= TELL_BYTES) this.#owner.send(this, OP.CREDIT_UPDATE);
    this.#endIfDone();
  }

  ended(): void {
    this.#hostHasEnded = true;
    this.pump();
  }

  closed(): void {
    if (this.#state === 'over') return;
    this.#pipe = undefined;
    const isInOrder = this.#hostHasEnded && this.#taken === this.#received;
    if (this.#state === 'open' && isInOrder) this.pump();
    else this.reset();
  }

  /** Sends what may be sent to the guest. */
  pump(): void {
    if (this.#state !== 'open') return;
    let isFull = false;
    while (this.#backlog.length > 0 && !isFull) {
      const room = this.#guestBuffer - ((this.#sent - this.#guestTaken) >>> 0);
      if (room <= 0) break;
      const first = this.#backlog[0] as Uint8Array;
      const payload = first.subarray(0, Math.min(room, MAX_PAYLOAD_BYTES));
      if (payload.length === first.length) this.#backlog.shift();
      else this.#backlog[0] = first.subarray(payload.length);
      this.#sent = (this.#sent + payload.length) >>> 0;
      isFull = !this.#owner.send(this, OP.RW, 0, payload);
    }
    if (this.#backlog.length > 0 || isFull) this.#pipe?.pause();
    else this.#pipe?.resume();
    if (this.#backlog.length > 0 || !this.#hostHasEnded) return;
    const shutdown = this.#pipe === undefined ? SHUTDOWN_BOTH : SHUTDOWN_SEND;
    if (shutdown === this.#toldShutdown) return;
    this.#toldShutdown = shutdown;
    this.#owner.send(this, OP.SHUTDOWN, shutdown);
  }
}
