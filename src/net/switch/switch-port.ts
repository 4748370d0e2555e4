/**
 * A machine's port of a virtual switch. There is no box in the middle: every port is connected to every other one,
 * learns which addresses are behind which of them, and sends a frame straight to where it belongs; what is for all,
 * or for somebody unheard of, goes to all. So machines come and go, and none is more important than another.
 *
 * ```
 *   guest ── Link ── SwitchPort ─┬─ PeerStream ── SwitchPort ── Link ── guest
 *                                └─ PeerStream ── SwitchPort ── Link ── guest
 * ```
 * A guest that sends faster than another takes has to wait; one that does not take anything for a while loses
 * frames, as in any network. Left out: spanning trees (there are no loops), VLANs (tags pass unseen).
 */
import { type FrameOffload, type Link, type LinkReceiver, PLAIN_FRAME } from '../../bus/mod.ts';
import type { NetClock, NetTimer } from '../clock.ts';
import { MILLISECOND } from '../clock.ts';
import { isGroupMac } from '../mac.ts';
import { ETHERNET_BYTES } from '../wire/ethernet.ts';
import { MacTable } from './mac-table.ts';
import { finishFrame, isAcceptable } from './segment.ts';
import { frameMessage, helloMessage, MessageReader } from './wire.ts';

const SOURCE = 6;
/** Bytes under way to a peer beyond which it is behind. */
const BACKLOG_LIMIT = 1 << 20;
/** How long a guest waits for a peer that is behind, in nanoseconds. */
const PATIENCE = 100 * MILLISECOND;

/** A stream of bytes to another port, and back. */
export interface PeerStream {
  /** Queues bytes, which belong to the stream from now on. */
  write(bytes: Uint8Array): void;
  /** What was written goes out now. */
  flush(): void;
  /** bytes queued and not yet taken by the host */
  readonly backlog: number;
  /** Stops the arrival of bytes. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** What a stream tells its port. */
export interface PeerEvents {
  /** The bytes are lent for the time of the call. */
  data(bytes: Uint8Array): void;
  /** `backlog` became smaller. */
  drained(): void;
  closed(): void;
}

interface Peer {
  readonly stream: PeerStream;
  readonly isOurs: boolean;
  id: string | undefined;
  /** since when it has been behind without a break */
  behindSince: number | undefined;
}

interface Waiting {
  readonly frame: Uint8Array;
  readonly offload: FrameOffload;
}

export class SwitchPort implements LinkReceiver {
  /** told apart from all other ports by this: hexadecimal digits */
  readonly id: string;
  readonly counters = { sentFrames: 0, receivedFrames: 0, droppedFrames: 0 };
  readonly #link: Link;
  readonly #clock: NetClock;
  readonly #macs: MacTable<Peer>;
  readonly #peers = new Map<string, Peer>();
  readonly #unflushed = new Set<Peer>();
  /** frames for the guest that its link has no room for */
  #waiting: Waiting[] = [];
  readonly #paused = new Set<Peer>();
  /** ends the guest's waiting for a peer that is behind */
  readonly #patience: NetTimer;

  constructor(options: { readonly id: string; readonly link: Link; readonly clock: NetClock }) {
    this.id = options.id;
    this.#link = options.link;
    this.#clock = options.clock;
    this.#macs = new MacTable(options.clock);
    this.#patience = options.clock.timer(() => this.#link.poll());
    this.#link.connect(this);
    this.#link.accept({ checksum: true, tcp4: true, tcp6: true });
  }

  /** Ids of the ports that this one is connected to. */
  get peers(): readonly string[] {
    return [...this.#peers.keys()];
  }

  /** Takes a new stream; `isOurs` when this side has opened it. Events may be told from the next turn on. */
  join(stream: PeerStream, isOurs: boolean): PeerEvents {
    const peer: Peer = { stream, isOurs, id: undefined, behindSince: undefined };
    const reader = new MessageReader({
      hello: (id) => this.#greeted(peer, id),
      frame: (frame, offload) => this.#arrived(peer, frame, offload),
    });
    stream.write(helloMessage(this.id));
    stream.flush();
    return {
      data: (bytes) => {
        if (!reader.push(bytes)) stream.close();
      },
      drained: () => {
        if (peer.behindSince === undefined || stream.backlog > BACKLOG_LIMIT) return;
        peer.behindSince = undefined;
        this.#link.poll();
      },
      closed: () => this.#leave(peer),
    };
  }

  // The guest.

  receive(frame: Uint8Array, offload: FrameOffload): boolean {
    if (frame.length < ETHERNET_BYTES) return true;
    const peer = isGroupMac(frame) ? undefined : this.#macs.find(frame, 0);
    if (peer !== undefined) {
      if (this.#isBehind(peer)) {
        const end = (peer.behindSince as number) + PATIENCE;
        if (this.#clock.now() < end) {
          this.#patience.arm(end);
          return false;
        }
        this.counters.droppedFrames++;
      } else this.#send(peer, frame, offload);
      return true;
    }
    for (const other of this.#peers.values()) {
      if (this.#isBehind(other)) this.counters.droppedFrames++;
      else this.#send(other, frame, offload);
    }
    return true;
  }

  settled(): void {
    for (const peer of this.#unflushed) peer.stream.flush();
    this.#unflushed.clear();
  }

  ready(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    while (waiting.length > 0) {
      const { frame, offload } = waiting[0] as Waiting;
      if (!this.#link.send(frame, offload)) break;
      waiting.shift();
    }
    this.#waiting = waiting;
    if (waiting.length > 0) return;
    for (const peer of this.#paused) peer.stream.resume();
    this.#paused.clear();
  }

  /** Another guest is there; the others will learn its address. What the last one did not take is gone. */
  restarted(): void {
    this.#waiting = [];
    this.ready();
  }

  /** Lets go of all peers. */
  close(): void {
    this.#patience.cancel();
    for (const peer of this.#peers.values()) peer.stream.close();
  }

  // The peers.

  /** Of two streams between the same ports, both keep that which the port with the lower id has opened. */
  #greeted(peer: Peer, id: string): void {
    const other = this.#peers.get(id);
    const opener = peer.isOurs ? this.id : id;
    if (id === this.id || (other !== undefined && opener > (this.id < id ? this.id : id))) {
      peer.stream.close();
      return;
    }
    peer.id = id;
    this.#peers.set(id, peer);
    if (other === undefined) return;
    this.#leave(other);
    other.stream.close();
  }

  #leave(peer: Peer): void {
    if (peer.id !== undefined && this.#peers.get(peer.id) === peer) this.#peers.delete(peer.id);
    this.#macs.forget(peer);
    this.#unflushed.delete(peer);
    this.#paused.delete(peer);
    // Frames for it may have been held back.
    if (peer.behindSince !== undefined) this.#link.poll();
  }

  #isBehind(peer: Peer): boolean {
    if (peer.stream.backlog <= BACKLOG_LIMIT) {
      peer.behindSince = undefined;
      return false;
    }
    peer.behindSince ??= this.#clock.now();
    return true;
  }

  #send(peer: Peer, frame: Uint8Array, offload: FrameOffload): void {
    peer.stream.write(frameMessage(frame, offload));
    this.#unflushed.add(peer);
    this.counters.sentFrames++;
  }

  #arrived(peer: Peer, frame: Uint8Array, offload: FrameOffload): void {
    // One that was given up for another may still have something to say.
    const isCurrent = peer.id !== undefined && this.#peers.get(peer.id) === peer;
    if (isCurrent && !isGroupMac(frame, SOURCE)) this.#macs.learn(frame, SOURCE, peer);
    this.counters.receivedFrames++;
    if (isAcceptable(offload, this.#link.offloads)) this.#deliver(peer, frame, offload);
    else for (const whole of finishFrame(frame, offload)) this.#deliver(peer, whole, PLAIN_FRAME);
  }

  #deliver(peer: Peer, frame: Uint8Array, offload: FrameOffload): void {
    if (this.#waiting.length === 0 && this.#link.send(frame, offload)) return;
    this.#waiting.push({ frame: frame.slice(), offload });
    if (this.#paused.has(peer)) return;
    this.#paused.add(peer);
    peer.stream.pause();
  }
}
