/** A hub with a guest and a host that tests play by hand. */
import { HandLink } from '../devices/virtio/net/driver.fixture.ts';
import type { HostPipe, HostPipeEvents } from './host.ts';
import { VsockHub } from './hub.ts';
import { buildPacket, HOST_CID, type PacketHeader, readPacket } from './packet.ts';

export const GUEST_CID = 3;

/** The program at the host's end of a connection. */
export class TestPipe implements HostPipe {
  readonly port: number;
  readonly events: HostPipeEvents;
  received = 0;
  last = new Uint8Array(0);
  hasEnded = false;
  isDestroyed = false;
  isPaused = false;

  constructor(port: number, events: HostPipeEvents) {
    this.port = port;
    this.events = events;
  }

  write(bytes: Uint8Array): void {
    this.received += bytes.length;
    this.last = bytes.slice();
  }

  end(): void {
    this.hasEnded = true;
  }

  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.events.closed();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }
}

export type Sent = PacketHeader & { readonly payload: Uint8Array };

export class TestHub {
  readonly link = new HandLink();
  readonly pipes: TestPipe[] = [];
  readonly hub = new VsockHub({
    link: this.link,
    guestCid: GUEST_CID,
    host: {
      connect: (port, events) => {
        const pipe = new TestPipe(port, events);
        this.pipes.push(pipe);
        return pipe;
      },
    },
  });

  /** The guest sends a packet; it has 64 KiB of room, and has taken nothing yet, unless it says so. */
  guest(op: number, fields: Partial<PacketHeader> = {}, payload?: Uint8Array): void {
    const header = {
      sourceCid: GUEST_CID,
      destinationCid: HOST_CID,
      sourcePort: 5000,
      destinationPort: 80,
      flags: 0,
      bufferBytes: 65536,
      taken: 0,
      ...fields,
      op,
    };
    this.link.deliver(buildPacket(header, payload));
  }

  /** What the guest has been sent since the last call. */
  sent(): Sent[] {
    return this.link.sent.splice(0).map(({ frame }) => {
      const packet = readPacket(frame);
      if (packet === undefined) throw new Error('a packet that is none');
      return { ...packet.header, payload: packet.payload };
    });
  }

  ops(): number[] {
    return this.sent().map(({ op }) => op);
  }
}
