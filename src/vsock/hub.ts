/**
 * Connects the sockets of one guest with streams of the host. VIRTIO 1.2, section 5.10. Runs where the host's streams are;
 * packets come and go over a link to the device.
 * Left out: sockets of packets (SEQPACKET), connections between guests.
 */
import { type Link, type LinkReceiver, PLAIN_FRAME } from '../bus/mod.ts';
import { BUFFER_BYTES, Connection, type ConnectionOwner } from './connection.ts';
import type { HostPipe, HostPipeEvents, VsockHost } from './host.ts';
import { buildPacket, HOST_CID, OP, type PacketHeader, readPacket, TYPE_STREAM } from './packet.ts';

/** Connections that a guest may have at once. */
const MAX_CONNECTIONS = 1024;
/** Packets that may wait for room in the link before no more are taken from the guest. */
const MAX_WAITING = 4096;
/** Ports that the host uses for connections to the guest begin here. */
const FIRST_HOST_PORT = 2 ** 30;

export interface VsockHubOptions {
  readonly link: Link;
  readonly host: VsockHost;
  /** the guest's context id, 3 or above */
  readonly guestCid: number;
}

export class VsockHub implements LinkReceiver, ConnectionOwner {
  readonly #link: Link;
  readonly #host: VsockHost;
  readonly #guestCid: number;
  readonly #connections = new Map<string, Connection>();
  #waiting: Uint8Array[] = [];
  #nextPort = FIRST_HOST_PORT;

  constructor(options: VsockHubOptions) {
    this.#link = options.link;
    this.#host = options.host;
    this.#guestCid = options.guestCid;
    this.#link.connect(this);
  }

  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Asks the guest for a connection to its `port`. `attach` gives the stream of the host; `accepted` is called when the
   * guest has accepted, with the port at our end. Undefined when there are too many connections.
   */
  connect(port: number, accepted: (hostPort: number) => void): HostConnection | undefined {
    if (this.#connections.size >= MAX_CONNECTIONS) return undefined;
    const hostPort = this.#freePort(port);
    const connection = new Connection(this, { hostPort, guestPort: port }, accepted);
    this.#connections.set(key(hostPort, port), connection);
    this.send(connection, OP.REQUEST);
    return connection;
  }

  #freePort(guestPort: number): number {
    while (this.#connections.has(key(this.#nextPort, guestPort))) this.#advancePort();
    const port = this.#nextPort;
    this.#advancePort();
    return port;
  }

  #advancePort(): void {
    this.#nextPort = this.#nextPort === 2 ** 31 - 1 ? FIRST_HOST_PORT : this.#nextPort + 1;
  }

  // The link.

  receive(frame: Uint8Array): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    const packet = readPacket(frame);
    if (packet !== undefined) this.#receivePacket(packet.header, packet.payload);
    return true;
  }

  settled(): void {}

  ready(): void {
    while (this.#waiting.length > 0) {
      if (!this.#link.send(this.#waiting[0] as Uint8Array, PLAIN_FRAME)) return;
      this.#waiting.shift();
    }
    for (const connection of [...this.#connections.values()]) {
      connection.pump();
      if (this.#waiting.length > 0) return;
    }
  }

  /** Another guest is there, or the same one restored: it knows of no connection. */
  restarted(): void {
    this.#waiting = [];
    for (const connection of [...this.#connections.values()]) connection.abandon();
  }

  #receivePacket(header: PacketHeader, payload: Uint8Array): void {
    const { destinationCid, sourceCid, destinationPort, sourcePort, op, type } = header;
    if (sourceCid !== this.#guestCid) return;
    const known = this.#connections.get(key(destinationPort, sourcePort));
    const isForUs = destinationCid === HOST_CID && type === TYPE_STREAM;
    if (isForUs && known !== undefined) known.receive(header, payload);
    else if (isForUs && op === OP.REQUEST) this.#open(header);
    else if (op !== OP.RST) this.#refuse(header);
  }

  #open(header: PacketHeader): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      this.#refuse(header);
      return;
    }
    const ports = { hostPort: header.destinationPort, guestPort: header.sourcePort };
    const connection = new Connection(this, ports);
    this.#connections.set(key(ports.hostPort, ports.guestPort), connection);
    connection.requested(header);
    connection.attach(this.#host.connect(ports.hostPort, connection));
  }

  #refuse({ destinationCid, sourcePort, destinationPort, type }: PacketHeader): void {
    this.#post(
      buildPacket({
        sourceCid: destinationCid,
        destinationCid: this.#guestCid,
        sourcePort: destinationPort,
        destinationPort: sourcePort,
        type,
        op: OP.RST,
        flags: 0,
        bufferBytes: 0,
        taken: 0,
      }),
    );
  }

  // Connections.

  send(connection: Connection, op: number, flags = 0, payload?: Uint8Array): boolean {
    return this.#post(
      buildPacket(
        {
          sourceCid: HOST_CID,
          destinationCid: this.#guestCid,
          sourcePort: connection.hostPort,
          destinationPort: connection.guestPort,
          op,
          flags,
          bufferBytes: BUFFER_BYTES,
          taken: connection.taken,
        },
        payload,
      ),
    );
  }

  remove(connection: Connection): void {
    this.#connections.delete(key(connection.hostPort, connection.guestPort));
  }

  #post(packet: Uint8Array): boolean {
    if (this.#waiting.length === 0 && this.#link.send(packet, PLAIN_FRAME)) return true;
    this.#waiting.push(packet);
    return false;
  }
}

/** A connection that the host has begun. */
export interface HostConnection extends HostPipeEvents {
  attach(pipe: HostPipe): void;
}

function key(hostPort: number, guestPort: number): string {
  return `${hostPort} ${guestPort}`;
}
