/**
 * One end of a TCP connection: RFC 9293 with window scaling (RFC 7323), selective acknowledgements sent (RFC 2018),
 * and the checks on RST and SYN of RFC 5961. It does no I/O: segments leave through `TcpOutput`, time comes from a
 * timer queue, data goes to `TcpEvents`.
 *
 * ```
 *   peer's SYN → pending ── accept ──→ syn-received ──┐
 *                           connect ─→ syn-sent ──────┴→ open ──→ time-wait ──→ closed
 * ```
 * `open` covers every state in which data may flow or did: which FINs were sent, received and acknowledged is
 * kept in fields of their own. Left out: simultaneous open, timestamps, urgent data, keep-alive probes of our own
 * (those of the peer are answered), use of the peer's selective acknowledgements.
 */
import { MILLISECOND, SECOND } from '../clock.ts';
import type { QueueTimer, TimerQueue } from '../timer-queue.ts';
import {
  TCP_ACK,
  TCP_FIN,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  type TcpFields,
  type TcpOptions,
  type TcpSegment,
} from '../wire/tcp.ts';
import { ByteQueue } from './byte-queue.ts';
import { Congestion } from './congestion.ts';
import { OutOfOrder } from './out-of-order.ts';
import { RoundTrip } from './round-trip.ts';
import { advance, distance, isAfter, isBefore } from './sequence.ts';

/** Why a connection is over: both sides are finished, the peer reset it, or the peer fell silent. */
export type TcpEnding = 'finished' | 'reset' | 'silent';

/** What the user of a connection is told. */
export interface TcpEvents {
  established(): void;
  /** Data in order. The bytes are lent for the time of the call. */
  data(bytes: Uint8Array): void;
  /** The peer will send no more data. */
  ended(): void;
  /** There is room for data to send again. */
  sendable(): void;
  /** Nothing will happen any more. Not called after `abort` or `discard`. */
  closed(ending: TcpEnding): void;
}

/** A run of bytes of a send queue. */
export interface TcpPayload {
  readonly queue: ByteQueue;
  /** bytes from the front of the queue */
  readonly from: number;
  readonly bytes: number;
}

/** Where segments go. */
export interface TcpOutput {
  /** How much data one `send` may carry; more than `mss` when the link cuts it into segments. */
  burstBytes(mss: number): number;
  /** False when the link has no room: the caller is told by `resume`. */
  send(fields: TcpFields, mss: number, payload: TcpPayload | undefined): boolean;
  /** The peer does not take frames at present: silence means nothing. */
  readonly isStalled: boolean;
  /** An acknowledgement is due: `flush` is wanted once the frames at hand are worked off. */
  wantFlush(): void;
  /** The connection is closed; its ports are free. */
  forget(): void;
}

export interface TcpConnectionOptions {
  readonly localPort: number;
  readonly remotePort: number;
  /** Our first sequence number; hard to guess. */
  readonly sequence: number;
  /** the largest segment that the link carries in one packet, in bytes of data */
  readonly mss: number;
  readonly timers: TimerQueue;
  readonly output: TcpOutput;
  readonly events: TcpEvents;
}

export type TcpState = 'pending' | 'syn-sent' | 'syn-received' | 'open' | 'time-wait' | 'closed';

/** Data that may wait to be sent, and that a peer may send ahead of its consumer. */
export const TCP_BUFFER_BYTES = 256 * 1024;

/** What a peer that names no MSS can take. RFC 9293 section 3.7.1. */
const DEFAULT_MSS = { least: 64, usual: 536 };
const OUR_WINDOW_SCALE = 7;
const TIME_WAIT = 2 * SECOND;
const DELAYED_ACK = 5 * MILLISECOND;
/** Answers to segments without data that lie outside the window: at most one in this time. */
const CHALLENGE_INTERVAL = 50 * MILLISECOND;
/** After so many timeouts in a row and so long a silence the peer is taken for dead. */
const MAX_TIMEOUTS = 8;
const MAX_SILENCE = 120 * SECOND;
const MAX_SYN_TIMEOUTS = 6;
const MAX_PROBE_INTERVAL = 60 * SECOND;

export class TcpConnection {
  readonly localPort: number;
  readonly remotePort: number;
  readonly #timers: TimerQueue;
  readonly #output: TcpOutput;
  readonly #events: TcpEvents;
  readonly #timer: QueueTimer;
  readonly #ackTimer: QueueTimer;
  #state: TcpState;

  // Sending: una ≤ next ≤ highest. The queue begins at `#unacknowledged`, or behind our SYN.
  readonly #queue = new ByteQueue();
  readonly #first: number;
  #unacknowledged: number;
  #next: number;
  #highest: number;
  #isSynAcknowledged = false;
  /** sequence number of our FIN, once it is wanted */
  #fin: number | undefined;
  readonly #ourMss: number;
  #mss: number;
  #window = 0;
  #windowShift = 0;
  /** sequence and acknowledgement of the segment that told the window last */
  #windowSequence = 0;
  #windowAcknowledgement = 0;
  readonly #roundTrip = new RoundTrip();
  readonly #congestion = new Congestion(() => this.#mss);
  #timeouts = 0;
  #probeInterval = 0;
  #isBlocked = false;
  #wantsRoom = false;

  // Receiving.
  #peerFirst = 0;
  #expected = 0;
  /** one past the last byte that the peer was ever allowed to send */
  #edge = 0;
  /** the edge that the peer knows, as the window of our last segment said */
  #toldEdge = 0;
  #room = TCP_BUFFER_BYTES;
  #ourShift = 0;
  readonly #outOfOrder = new OutOfOrder();
  /** sequence number of the peer's FIN, when it is known */
  #peerFin: number | undefined;
  #finReceived = false;
  #finSentBeforePeer = false;
  #maySack = false;
  #unackedBytes = 0;
  #ackDue: 'no' | 'soon' | 'now' = 'no';
  #lastHeard: number;
  #lastChallenge = Number.NEGATIVE_INFINITY;

  constructor(options: TcpConnectionOptions) {
    this.localPort = options.localPort;
    this.remotePort = options.remotePort;
    this.#timers = options.timers;
    this.#output = options.output;
    this.#events = options.events;
    this.#ourMss = options.mss;
    this.#mss = options.mss;
    this.#first = options.sequence >>> 0;
    this.#unacknowledged = this.#first;
    this.#next = this.#first;
    this.#highest = this.#first;
    this.#state = 'pending';
    this.#timer = this.#timers.timer(() => this.#timedOut());
    this.#ackTimer = this.#timers.timer(() => this.#acknowledge());
    this.#lastHeard = this.#timers.now();
  }

  get state(): TcpState {
    return this.#state;
  }

  /** Bytes that can be queued to be sent now. */
  get sendRoom(): number {
    return this.#fin !== undefined ? 0 : Math.max(0, TCP_BUFFER_BYTES - this.#queue.length);
  }

  // What the user of the connection asks for.

  /** Takes the peer's SYN; the connection waits for `accept` or `abort`. */
  begin(syn: TcpSegment): void {
    this.#takeSyn(syn);
  }

  /** Answers the peer's SYN. */
  accept(): void {
    if (this.#state !== 'pending') return;
    this.#state = 'syn-received';
    this.#sendSyn();
  }

  /** Opens a connection to the peer. */
  connect(): void {
    this.#state = 'syn-sent';
    this.#sendSyn();
  }

  /** Queues data to be sent; a little more than `sendRoom` does no harm. */
  push(bytes: Uint8Array): void {
    if (this.#state === 'closed' || this.#fin !== undefined) return;
    this.#queue.push(bytes);
    if (this.sendRoom === 0) this.#wantsRoom = true;
    this.#transmit();
  }

  /** No more data will be sent after what is queued. */
  end(): void {
    if (this.#state === 'closed' || this.#fin !== undefined) return;
    this.#fin = advance(this.#queueFront, this.#queue.length);
    this.#transmit();
  }

  /** Says how much data the user can take now; the peer is told when that is worth a segment. */
  setReceiveRoom(bytes: number): void {
    this.#room = Math.max(0, bytes);
    if (this.#state !== 'open' || this.#finReceived) return;
    const tellable = Math.min(this.#room, 0xffff << this.#ourShift);
    const gain = distance(advance(this.#expected, tellable), this.#toldEdge);
    const told = distance(this.#toldEdge, this.#expected);
    if (gain >= TCP_BUFFER_BYTES / 4 || (told < 2 * this.#mss && gain >= 2 * this.#mss)) {
      this.#acknowledge();
    }
  }

  /** Ends the connection at once; the peer is told by RST. */
  abort(): void {
    if (this.#state === 'closed') return;
    this.#reset();
    this.#remove();
  }

  /** Ends the connection at once without a word to the peer. */
  discard(): void {
    if (this.#state !== 'closed') this.#remove();
  }

  /** True when `sequence` lies behind all that the peer has sent. */
  isBeyond(sequence: number): boolean {
    return !isBefore(sequence, this.#expected);
  }

  // What the layer below asks for.

  /** The link has room again. */
  resume(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    if (this.#state === 'syn-sent' || this.#state === 'syn-received') this.#sendSyn();
    else if (this.#ackDue !== 'no') this.#acknowledge();
    this.#transmit();
  }

  /** The frames at hand are worked off: sends the acknowledgement that is due, or waits a little for data to ride on. */
  flush(): void {
    if (this.#ackDue === 'now') this.#acknowledge();
    else if (this.#ackDue === 'soon' && !this.#ackTimer.isArmed) {
      this.#ackTimer.arm(this.#timers.now() + DELAYED_ACK);
    }
  }

  /** Takes a segment of the peer. */
  receive(segment: TcpSegment): void {
    this.#lastHeard = this.#timers.now();
    switch (this.#state) {
      case 'closed':
        return;
      case 'pending':
        if (segment.flags & TCP_RST) this.#close('reset');
        return;
      case 'syn-sent':
        this.#receiveInSynSent(segment);
        return;
      default:
        this.#receiveSynchronized(segment);
    }
  }

  // Receiving.

  #takeSyn(syn: TcpSegment): void {
    const { mss, windowScale, sackPermitted } = syn.options;
    this.#peerFirst = syn.sequence;
    this.#expected = advance(syn.sequence, 1);
    this.#edge = this.#expected;
    this.#toldEdge = this.#expected;
    this.#mss = Math.min(this.#mss, Math.max(mss ?? DEFAULT_MSS.usual, DEFAULT_MSS.least));
    this.#windowShift = windowScale ?? 0;
    this.#ourShift = windowScale === undefined ? 0 : OUR_WINDOW_SCALE;
    this.#maySack = sackPermitted ?? false;
    this.#window = syn.window; // never scaled in a SYN
    this.#windowSequence = syn.sequence;
    this.#windowAcknowledgement = syn.acknowledgement;
  }

  #receiveInSynSent(segment: TcpSegment): void {
    const { flags, acknowledgement } = segment;
    const isAcknowledged = (flags & TCP_ACK) !== 0;
    if (isAcknowledged && acknowledgement !== advance(this.#first, 1)) {
      if (!(flags & TCP_RST)) this.#send(TCP_RST, acknowledgement);
      return;
    }
    if (flags & TCP_RST) {
      if (isAcknowledged) this.#close('reset');
      return;
    }
    if (!(flags & TCP_SYN) || !isAcknowledged) return;
    this.#takeSyn(segment);
    this.#isSynAcknowledged = true;
    this.#unacknowledged = acknowledgement;
    this.#next = acknowledgement;
    this.#highest = acknowledgement;
    this.#open();
    this.#ackSoon('now'); // data that waits already carries it
    this.#transmit();
  }

  #receiveSynchronized(segment: TcpSegment): void {
    const { flags, sequence } = segment;
    if (this.#state === 'syn-received' && flags & TCP_SYN && sequence === this.#peerFirst) {
      this.#sendSyn(); // our answer was lost
      return;
    }
    if (!this.#isAcceptable(segment)) {
      if (flags & TCP_RST) return;
      // A closed window refuses data, not the acknowledgement that comes with it.
      if (flags & TCP_ACK && sequence === this.#expected) this.#takeAcknowledgement(segment);
      this.#challenge(segment.data.length > 0 || (flags & (TCP_SYN | TCP_FIN)) !== 0);
      return;
    }
    if (flags & TCP_RST) {
      if (sequence === this.#expected) this.#close('reset');
      else this.#challenge(false);
      return;
    }
    if (flags & TCP_SYN) {
      this.#challenge(false);
      return;
    }
    if (!(flags & TCP_ACK)) return;
    if (this.#state === 'syn-received') {
      const { acknowledgement } = segment;
      if (acknowledgement !== advance(this.#first, 1)) {
        this.#send(TCP_RST, acknowledgement);
        return;
      }
      this.#takeAcknowledgement(segment);
      this.#open();
    } else this.#takeAcknowledgement(segment);
    if (this.#mayReceive()) this.#takeData(segment);
    if (this.#mayTransmit()) this.#transmit();
  }

  /** RFC 9293 section 3.10.7.4, "First, check sequence number". */
  #isAcceptable(segment: TcpSegment): boolean {
    const { sequence, flags, data } = segment;
    const length = data.length + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
    const window = distance(this.#edge, this.#expected);
    const from = distance(sequence, this.#expected);
    if (length === 0) return from === 0 || (from > 0 && from < window);
    return window > 0 ? from < window && from + length > 0 : false;
  }

  #takeAcknowledgement(segment: TcpSegment): void {
    const { acknowledgement, sequence, flags, data } = segment;
    if (isAfter(acknowledgement, this.#highest)) {
      this.#challenge(false);
      return;
    }
    if (isBefore(acknowledgement, this.#unacknowledged)) return;
    const window = segment.window << this.#windowShift;
    const isWindowNews = this.#takeWindow(sequence, acknowledgement, window);
    const bytes = distance(acknowledgement, this.#unacknowledged);
    if (bytes > 0) this.#takeProgress(bytes, acknowledgement);
    else if (
      !isWindowNews &&
      data.length === 0 &&
      !(flags & TCP_FIN) &&
      this.#highest !== this.#unacknowledged
    ) {
      const inFlight = distance(this.#highest, this.#unacknowledged);
      if (this.#congestion.duplicate(inFlight, this.#highest)) this.#sendFirstAgain();
    }
  }

  /** True when the peer's window has changed. */
  #takeWindow(sequence: number, acknowledgement: number, window: number): boolean {
    const isStale =
      isBefore(sequence, this.#windowSequence) ||
      (sequence === this.#windowSequence && isBefore(acknowledgement, this.#windowAcknowledgement));
    if (isStale) return false;
    this.#windowSequence = sequence;
    this.#windowAcknowledgement = acknowledgement;
    const isNews = window !== this.#window;
    this.#window = window;
    if (window > 0) this.#probeInterval = 0;
    return isNews;
  }

  /** `bytes` more are acknowledged, SYN and FIN among them. */
  #takeProgress(bytes: number, acknowledgement: number): void {
    const now = this.#timers.now();
    const hadSyn = !this.#isSynAcknowledged;
    this.#isSynAcknowledged = true;
    this.#unacknowledged = acknowledgement;
    const isFinished = this.#isFinAcknowledged;
    const data = bytes - (hadSyn ? 1 : 0) - (isFinished ? 1 : 0);
    if (isBefore(this.#next, acknowledgement)) this.#next = acknowledgement;
    if (data > 0) this.#queue.skip(data);
    this.#timeouts = 0;
    this.#roundTrip.settle();
    this.#roundTrip.acknowledged(acknowledgement, now, isAfter);
    if (this.#congestion.acknowledged(bytes, acknowledgement, isBefore)) this.#sendFirstAgain();
    if (acknowledgement === this.#highest) this.#timer.cancel();
    else this.#timer.arm(now + this.#roundTrip.timeout);
    if (isFinished) {
      if (this.#finReceived) this.#finish();
    } else if (this.#wantsRoom && this.sendRoom >= TCP_BUFFER_BYTES / 2) {
      this.#wantsRoom = false;
      this.#events.sendable();
    }
  }

  #takeData(segment: TcpSegment): void {
    const { sequence, data, flags } = segment;
    const offset = distance(sequence, this.#expected);
    const room = distance(this.#edge, this.#expected);
    if (flags & TCP_FIN) this.#peerFin ??= advance(sequence, data.length);
    if (data.length > 0) {
      // Cut what was received before and what lies beyond the window.
      const fresh = data.subarray(Math.max(0, -offset), Math.max(0, room - offset));
      if (offset > 0) {
        this.#outOfOrder.add(sequence, fresh);
        this.#ackSoon('now'); // a hole: the peer shall know
      } else if (fresh.length > 0) this.#deliver(fresh);
      else this.#ackSoon('now'); // a duplicate
      for (;;) {
        const next = this.#outOfOrder.take(this.#expected);
        if (next === undefined) break;
        this.#deliver(next);
        this.#ackSoon('now');
      }
    }
    if (this.#peerFin !== undefined && this.#expected === this.#peerFin) this.#takeFin();
    else if (flags & TCP_FIN) this.#ackSoon('now');
  }

  #deliver(bytes: Uint8Array): void {
    this.#expected = advance(this.#expected, bytes.length);
    this.#room = Math.max(0, this.#room - bytes.length);
    this.#unackedBytes += bytes.length;
    this.#ackSoon(this.#unackedBytes >= 2 * this.#mss ? 'now' : 'soon');
    this.#events.data(bytes);
  }

  #takeFin(): void {
    if (this.#state !== 'open') return; // the user aborted while it was given the data
    this.#expected = advance(this.#expected, 1);
    this.#finReceived = true;
    this.#finSentBeforePeer = this.#isFinSent;
    this.#outOfOrder.clear();
    // Our own FIN often follows at once, and carries it.
    if (this.#isFinSent) this.#acknowledge();
    else this.#ackSoon('soon');
    this.#events.ended();
    if (this.#isFinAcknowledged) this.#finish();
  }

  /** Both FINs are through. Whoever sent the first stays a while to acknowledge the other again. */
  #finish(): void {
    if (this.#state !== 'open') return;
    if (!this.#finSentBeforePeer) {
      this.#close('finished');
      return;
    }
    this.#state = 'time-wait';
    this.#queue.clear();
    this.#ackTimer.cancel();
    this.#timer.arm(this.#timers.now() + TIME_WAIT);
    this.#events.closed('finished');
  }

  // Sending.

  /** The sequence number of the first byte in the queue. */
  get #queueFront(): number {
    return this.#isSynAcknowledged ? this.#unacknowledged : advance(this.#first, 1);
  }

  get #isFinSent(): boolean {
    return this.#fin !== undefined && isAfter(this.#highest, this.#fin);
  }

  get #isFinAcknowledged(): boolean {
    return this.#fin !== undefined && isAfter(this.#unacknowledged, this.#fin);
  }

  #mayReceive(): boolean {
    return this.#state === 'open' && !this.#finReceived;
  }

  #mayTransmit(): boolean {
    return this.#state === 'open';
  }

  #open(): void {
    this.#state = 'open';
    this.#timeouts = 0;
    this.#roundTrip.settle();
    this.#timer.cancel();
    this.#events.established();
  }

  #sendSyn(): void {
    const isAnswer = this.#state === 'syn-received';
    const options: TcpOptions = {
      mss: this.#ourMss,
      // An answer offers only what the peer offered.
      windowScale: isAnswer && this.#ourShift === 0 ? undefined : OUR_WINDOW_SCALE,
      sackPermitted: !isAnswer || this.#maySack,
    };
    this.#next = advance(this.#first, 1);
    this.#highest = this.#next;
    this.#isBlocked = !this.#send(
      isAnswer ? TCP_SYN | TCP_ACK : TCP_SYN,
      this.#first,
      undefined,
      options,
    );
    const now = this.#timers.now();
    if (this.#timeouts === 0) this.#roundTrip.sent(this.#next, now);
    this.#timer.arm(now + this.#roundTrip.timeout);
  }

  /** Sends what the windows allow. `isForced`: one segment even if they allow none. */
  #transmit(isForced = false): void {
    if (!this.#mayTransmit() || this.#isBlocked) return;
    let force = isForced;
    for (;;) {
      const inFlight = distance(this.#next, this.#unacknowledged);
      const sent = distance(this.#next, this.#queueFront);
      const unsent = this.#queue.length - sent;
      const isFinDue = this.#fin !== undefined && !isAfter(this.#next, this.#fin);
      if (unsent <= 0 && !isFinDue) break;
      const allowed = Math.min(this.#window, Math.floor(this.#congestion.window)) - inFlight;
      const limit = force ? Math.max(allowed, Math.min(this.#mss, Math.max(unsent, 1))) : allowed;
      if (limit <= 0) break;
      let bytes = Math.min(unsent, limit, this.#output.burstBytes(this.#mss));
      if (bytes < unsent) {
        // A short segment before the end is sent only when nothing else is under way. RFC 9293 section 3.8.6.2.1.
        if (bytes > this.#mss) bytes -= bytes % this.#mss;
        else if (bytes < this.#mss && inFlight > 0 && !force) break;
      }
      force = false;
      const isLast = bytes === unsent;
      const hasFin = isLast && isFinDue && bytes < limit;
      if (bytes === 0 && !hasFin) break;
      const flags = TCP_ACK | (isLast ? TCP_PSH : 0) | (hasFin ? TCP_FIN : 0);
      const payload = bytes > 0 ? { queue: this.#queue, from: sent, bytes } : undefined;
      if (!this.#send(flags, this.#next, payload)) {
        this.#isBlocked = true;
        break;
      }
      this.#next = advance(this.#next, bytes + (hasFin ? 1 : 0));
      if (isAfter(this.#next, this.#highest)) {
        const now = this.#timers.now();
        // A timer that runs while nothing is under way is that of window probes.
        if (inFlight === 0) this.#timer.arm(now + this.#roundTrip.timeout);
        this.#highest = this.#next;
        this.#roundTrip.sent(this.#next, now);
      }
    }
    this.#arm();
  }

  /** Sees to it that a timer runs when the peer owes an acknowledgement or a window. */
  #arm(): void {
    if (this.#timer.isArmed) return;
    const now = this.#timers.now();
    if (this.#highest !== this.#unacknowledged) this.#timer.arm(now + this.#roundTrip.timeout);
    else if (this.#hasUnsent) {
      this.#probeInterval ||= this.#roundTrip.timeout;
      this.#timer.arm(now + this.#probeInterval);
    }
  }

  get #hasUnsent(): boolean {
    return this.#queue.length > 0 || (this.#fin !== undefined && !this.#isFinSent);
  }

  #sendFirstAgain(): void {
    this.#roundTrip.forget();
    const bytes = Math.min(this.#mss, this.#queue.length);
    if (bytes > 0) {
      const isLast = bytes === this.#queue.length;
      const payload = { queue: this.#queue, from: 0, bytes };
      this.#send(TCP_ACK | (isLast ? TCP_PSH : 0), this.#unacknowledged, payload);
    } else if (this.#isFinSent) this.#send(TCP_ACK | TCP_FIN, this.#unacknowledged);
    this.#timer.arm(this.#timers.now() + this.#roundTrip.timeout);
  }

  #timedOut(): void {
    if (this.#state === 'time-wait') {
      this.#remove();
      return;
    }
    const now = this.#timers.now();
    if (this.#output.isStalled) {
      // The peer stands still with its clock: what it did not take it did not lose.
      this.#lastHeard = now;
      this.#timer.arm(now + this.#roundTrip.timeout);
      return;
    }
    if (this.#highest === this.#unacknowledged) {
      this.#probe(now);
      return;
    }
    this.#timeouts++;
    const isDead =
      this.#state === 'open'
        ? this.#timeouts > MAX_TIMEOUTS && now - this.#lastHeard > MAX_SILENCE
        : this.#timeouts > MAX_SYN_TIMEOUTS;
    if (isDead) {
      this.#reset();
      this.#close('silent');
      return;
    }
    this.#roundTrip.backOff();
    this.#roundTrip.forget();
    if (this.#state !== 'open') {
      this.#sendSyn();
      return;
    }
    this.#congestion.timedOut(distance(this.#highest, this.#unacknowledged));
    this.#next = this.#unacknowledged;
    this.#timer.arm(now + this.#roundTrip.timeout);
    this.#transmit(true);
  }

  /** Asks for the peer's window by a segment that it has to answer. RFC 9293 section 3.8.6.1. */
  #probe(now: number): void {
    if (this.#state !== 'open' || !this.#hasUnsent) return;
    this.#send(TCP_ACK, advance(this.#unacknowledged, -1));
    const next = Math.max(this.#roundTrip.timeout, this.#probeInterval * 2);
    this.#probeInterval = Math.min(MAX_PROBE_INTERVAL, next);
    this.#timer.arm(now + this.#probeInterval);
    this.#transmit();
  }

  #ackSoon(when: 'soon' | 'now'): void {
    if (this.#ackDue === 'no') this.#output.wantFlush();
    if (this.#ackDue !== 'now') this.#ackDue = when;
  }

  #acknowledge(): void {
    if (this.#state === 'closed') return;
    const blocks = this.#maySack && !this.#outOfOrder.isEmpty ? this.#outOfOrder.blocks(3) : [];
    const options = blocks.length > 0 ? { sack: blocks } : undefined;
    if (!this.#send(TCP_ACK, this.#highest, undefined, options)) {
      this.#ackDue = 'now';
      this.#isBlocked = true;
    }
  }

  /** Tells the peer where we are, because it seems not to know. */
  #challenge(isAnswerDue: boolean): void {
    const now = this.#timers.now();
    if (!isAnswerDue && now - this.#lastChallenge < CHALLENGE_INTERVAL) return;
    this.#lastChallenge = now;
    if (this.#state === 'time-wait') this.#timer.arm(now + TIME_WAIT);
    this.#acknowledge();
  }

  /** Every segment but the first acknowledges. True when it went out. */
  #send(flags: number, sequence: number, payload?: TcpPayload, options?: TcpOptions): boolean {
    const wanted = advance(this.#expected, this.#room);
    if (isAfter(wanted, this.#edge)) this.#edge = wanted;
    const shift = flags & TCP_SYN ? 0 : this.#ourShift;
    const isSynchronized = (flags & TCP_ACK) !== 0;
    // Before the peer's SYN came, room is all that can be told.
    const open = isSynchronized ? distance(this.#edge, this.#expected) : this.#room;
    const window = Math.min(0xffff, open >>> shift);
    const isSent = this.#output.send(
      {
        sourcePort: this.localPort,
        destinationPort: this.remotePort,
        sequence,
        acknowledgement: isSynchronized ? this.#expected : 0,
        flags,
        window,
        options,
      },
      this.#mss,
      payload,
    );
    if (isSent && isSynchronized) {
      this.#toldEdge = advance(this.#expected, window << shift);
      this.#ackDue = 'no';
      this.#unackedBytes = 0;
      this.#ackTimer.cancel();
    }
    return isSent;
  }

  #reset(): void {
    if (this.#state === 'pending') {
      this.#send(TCP_RST | TCP_ACK, 0);
    } else if (this.#state !== 'time-wait') {
      this.#send(this.#state === 'syn-sent' ? TCP_RST : TCP_RST | TCP_ACK, this.#highest);
    }
  }

  #close(ending: TcpEnding): void {
    const wasTold = this.#state === 'time-wait';
    this.#remove();
    if (!wasTold) this.#events.closed(ending);
  }

  #remove(): void {
    this.#state = 'closed';
    this.#timer.cancel();
    this.#ackTimer.cancel();
    this.#queue.clear();
    this.#outOfOrder.clear();
    this.#output.forget();
  }
}
