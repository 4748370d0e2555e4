import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FrameOffload, GSO_TCP4, GSO_TCP6, type GsoKind, PLAIN_FRAME } from '../../bus/mod.ts';
import { read16, read32 } from '../bytes.ts';
import { checksum, pseudoHeaderSum } from '../checksum.ts';
import { SECOND } from '../clock.ts';
import { FakeClock, FakeLink, pattern, seededRandom } from '../test-kit.fixture.ts';
import { MacTable } from './mac-table.ts';
import { finishFrame, isAcceptable } from './segment.ts';
import { type PeerEvents, type PeerStream, SwitchPort } from './switch-port.ts';
import { frameMessage, helloMessage, MessageReader } from './wire.ts';

const ALL = 0xffff_ffff_ffff;

/** A frame from one station to another, by the last byte of their addresses. */
function frameOf(from: number, to: number, bytes = 60): Uint8Array<ArrayBuffer> {
  const frame = pattern(bytes, from * 1000 + to);
  frame.set(to === ALL ? [255, 255, 255, 255, 255, 255] : [0x52, 0x54, 0, 0, 0, to]);
  frame.set([0x52, 0x54, 0, 0, 0, from], 6);
  return frame;
}

class Wire implements PeerStream {
  other: PeerEvents | undefined;
  readonly queue: Uint8Array[] = [];
  backlog = 0;
  isPaused = false;
  isClosed = false;
  twin: Wire | undefined;
  own: PeerEvents | undefined;

  write(bytes: Uint8Array): void {
    this.queue.push(bytes);
  }
  flush(): void {}
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.own?.closed();
    this.twin?.close();
  }
}

/** Ports that a test connects, and the wires between them. */
class Net {
  readonly clock = new FakeClock();
  readonly wires: Wire[] = [];

  add(id: string) {
    const link = new FakeLink();
    link.offloads = { checksum: true, tcp4: true, tcp6: true };
    let polls = 0;
    link.poll = () => {
      polls++;
      return false;
    };
    const port = new SwitchPort({ id: id.repeat(16), link, clock: this.clock });
    return { link, port, polls: () => polls };
  }

  connect(opener: { port: SwitchPort }, other: { port: SwitchPort }): readonly [Wire, Wire] {
    const [near, far] = [new Wire(), new Wire()];
    near.twin = far;
    far.twin = near;
    near.own = opener.port.join(near, true);
    far.own = other.port.join(far, false);
    near.other = far.own;
    far.other = near.own;
    this.wires.push(near, far);
    return [near, far];
  }

  /** Carries everything that is written to where it goes. */
  run(): void {
    for (let isMoving = true; isMoving; ) {
      isMoving = false;
      for (const wire of this.wires) {
        if (wire.isClosed || wire.twin?.isPaused) continue;
        const bytes = wire.queue.shift();
        if (bytes === undefined) continue;
        isMoving = true;
        wire.other?.data(bytes);
      }
    }
  }
}

function send(station: { port: SwitchPort }, frame: Uint8Array, offload = PLAIN_FRAME): boolean {
  const isTaken = station.port.receive(frame, offload);
  station.port.settled();
  return isTaken;
}

function trio() {
  const net = new Net();
  const [a, b, c] = [net.add('a'), net.add('b'), net.add('c')];
  net.connect(b, a);
  net.connect(c, a);
  net.connect(c, b);
  net.run();
  const received = () => [a, b, c].map(({ link }) => link.sent.splice(0).length);
  return { net, a, b, c, received };
}

test('switch: a frame for somebody unheard of goes to all, an answer to one', () => {
  const { net, a, b, c, received } = trio();
  assert.ok(send(a, frameOf(1, 2)));
  net.run();
  assert.deepEqual(received(), [0, 1, 1]);
  send(b, frameOf(2, 1));
  net.run();
  assert.deepEqual(received(), [1, 0, 0]);
  send(a, frameOf(1, 2));
  net.run();
  assert.deepEqual(received(), [0, 1, 0]);
  send(c, frameOf(3, ALL));
  net.run();
  assert.deepEqual(received(), [1, 1, 0]);
});

test('switch: frames arrive as they were sent, with what is left undone of them', () => {
  const { net, a, b } = trio();
  const offload: FrameOffload = {
    checksum: { start: 34, offset: 16 },
    gso: GSO_TCP4,
    headerBytes: 54,
    segmentBytes: 1460,
  };
  const frame = frameOf(1, 2, 60_000);
  send(a, frame, offload);
  net.run();
  assert.deepEqual(b.link.sent, [{ frame, offload }]);
});

test('switch: a port that leaves is forgotten, and its station is looked for everywhere', () => {
  const { net, a, b, c, received } = trio();
  send(b, frameOf(2, ALL));
  net.run();
  received();
  b.port.close();
  assert.deepEqual(a.port.peers, [c.port.id]);
  send(a, frameOf(1, 2));
  net.run();
  assert.deepEqual(received(), [0, 0, 1]);
});

test('switch: two ports that have called each other keep one stream, both the same', () => {
  for (const order of [0, 1]) {
    const net = new Net();
    const [a, b] = [net.add('a'), net.add('b')];
    const first = order === 0 ? net.connect(a, b) : net.connect(b, a);
    const second = order === 0 ? net.connect(b, a) : net.connect(a, b);
    net.run();
    const ours = order === 0 ? first : second;
    const theirs = order === 0 ? second : first;
    assert.ok(theirs.every(({ isClosed }) => isClosed));
    assert.ok(ours.every(({ isClosed }) => !isClosed));
    send(a, frameOf(1, 2));
    net.run();
    assert.equal(b.link.sent.length, 1);
  }
});

test('switch: a guest waits for a peer that is behind, but not for ever', () => {
  const { net, a, b, c, received } = trio();
  send(b, frameOf(2, ALL));
  send(c, frameOf(3, ALL));
  net.run();
  received();
  const wires = net.wires.filter((wire) => !wire.isClosed);
  for (const wire of wires) wire.backlog = 2 ** 21;
  assert.equal(send(a, frameOf(1, 2)), false);
  for (const wire of wires) wire.backlog = 0;
  for (const wire of wires) wire.own?.drained();
  assert.ok(a.polls() >= 1, 'the frame is asked for again');
  assert.ok(send(a, frameOf(1, 2)));
  for (const wire of wires) wire.backlog = 2 ** 21;
  assert.equal(send(a, frameOf(1, 2)), false);
  const polls = a.polls();
  net.clock.pass(0.1 * SECOND);
  assert.equal(a.polls(), polls + 1);
  assert.ok(send(a, frameOf(1, 2)), 'it is lost now');
  assert.equal(a.port.counters.droppedFrames, 1);
  assert.ok(send(a, frameOf(1, ALL)), 'what is for all never waits');
});

test('switch: frames wait while the guest has no room, in order, and hold their sender back', () => {
  const { net, a, b } = trio();
  send(b, frameOf(2, ALL));
  net.run();
  b.link.hasRoom = false;
  b.link.sent.length = 0;
  const frames = [60, 61, 62].map((bytes) => frameOf(1, 2, bytes));
  for (const frame of frames) send(a, frame);
  net.run();
  assert.ok(net.wires.some(({ isPaused }) => isPaused));
  b.link.hasRoom = true;
  b.port.ready();
  assert.ok(net.wires.every(({ isPaused }) => !isPaused));
  net.run();
  assert.deepEqual(
    b.link.sent.map(({ frame }) => frame),
    frames,
  );
});

test('switch: who says something else than a port is not listened to', () => {
  const { net, a } = trio();
  for (const bytes of [
    new Uint8Array(40).fill(0xff),
    new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'),
    frameMessage(frameOf(7, 1), PLAIN_FRAME),
    Uint8Array.of(...helloMessage('0123456789abcdef'), 3, 0, 0, 0, 1, 2, 3),
    helloMessage(a.port.id),
  ]) {
    const wire = new Wire();
    wire.own = a.port.join(wire, false);
    wire.own.data(bytes);
    assert.ok(wire.isClosed);
  }
  net.run();
  assert.equal(a.link.sent.length, 0);
  assert.equal(a.port.peers.length, 2);
});

test('messages are found again however the stream is cut', () => {
  const random = seededRandom(7);
  const sent = Array.from({ length: 40 }, (_, index) => frameOf(index, 1, 14 + index * 97));
  const stream = Buffer.concat([
    helloMessage('00112233445566ff'),
    ...sent.map((frame) => frameMessage(frame, PLAIN_FRAME)),
  ]);
  const got: Uint8Array[] = [];
  const ids: string[] = [];
  const reader = new MessageReader({
    hello: (id) => ids.push(id),
    frame: (frame) => got.push(frame.slice()),
  });
  for (let at = 0; at < stream.length; ) {
    const count = 1 + Math.floor(random() ** 2 * 5000);
    assert.ok(reader.push(stream.subarray(at, at + count)));
    at += count;
  }
  assert.deepEqual(ids, ['00112233445566ff']);
  assert.deepEqual(got, sent);
});

test('random bytes never break a reader', () => {
  const random = seededRandom(9);
  for (let round = 0; round < 2000; round++) {
    const reader = new MessageReader({ hello: () => {}, frame: () => {} });
    reader.push(helloMessage('0123456789abcdef'));
    const bytes = frameMessage(frameOf(1, 2, 14 + Math.floor(random() * 60)), PLAIN_FRAME);
    for (let count = 0; count < 4; count++) {
      bytes[Math.floor(random() * 30)] = Math.floor(random() * 256);
    }
    while (reader.push(bytes) && random() < 0.5);
  }
});

test('addresses are forgotten when they are silent, and there are never too many', () => {
  const clock = new FakeClock();
  const table = new MacTable<string>(clock);
  table.learn(frameOf(1, 2), 6, 'one');
  assert.equal(table.find(frameOf(1, 2), 6), 'one');
  clock.pass(301 * SECOND);
  assert.equal(table.find(frameOf(1, 2), 6), undefined);
  for (let count = 0; count < 10_000; count++) {
    table.learn(Uint8Array.of(2, 0, 0, 0, count >> 8, count), 0, 'many');
  }
  assert.equal(table.size, 4096);
});

/** A long TCP segment as a guest hands it to its card. */
function longSegment(
  kind: GsoKind,
  dataBytes: number,
): { frame: Uint8Array; offload: FrameOffload } {
  const isIpv4 = kind === GSO_TCP4;
  const tcp = 14 + (isIpv4 ? 20 : 40);
  const headerBytes = tcp + 32;
  const frame = new Uint8Array(headerBytes + dataBytes);
  const view = new DataView(frame.buffer);
  view.setUint16(12, isIpv4 ? 0x0800 : 0x86dd);
  if (isIpv4) {
    frame.set([0x45, 0, 0, 0, 0xff, 0xff, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 14);
    view.setUint16(16, frame.length - 14);
  } else {
    frame.set([0x60, 0, 0, 0, 0, 0, 6, 64], 14);
    frame.set(pattern(32, 99), 22);
  }
  view.setUint16(tcp, 1234);
  view.setUint32(tcp + 4, 0xffff_f000);
  frame[tcp + 12] = 8 << 4;
  frame[tcp + 13] = 0x99; // CWR, ACK, PSH, FIN
  frame.set(pattern(dataBytes), headerBytes);
  const addresses = isIpv4 ? [26, 4] : [22, 16];
  const [at = 0, bytes = 0] = addresses;
  const source = frame.subarray(at, at + bytes);
  const destination = frame.subarray(at + bytes, at + 2 * bytes);
  view.setUint16(tcp + 16, pseudoHeaderSum(source, destination, 6, frame.length - tcp));
  return {
    frame,
    offload: { checksum: { start: tcp, offset: 16 }, gso: kind, headerBytes, segmentBytes: 1400 },
  };
}

for (const kind of [GSO_TCP4, GSO_TCP6] as const) {
  test(`a long segment is cut for a guest that does not take it (kind ${kind})`, () => {
    const { frame, offload } = longSegment(kind, 10_000);
    const tcp = offload.checksum?.start as number;
    assert.equal(isAcceptable(offload, { checksum: true, tcp4: false, tcp6: false }), false);
    assert.equal(isAcceptable(offload, { checksum: true, tcp4: true, tcp6: true }), true);
    const segments = finishFrame(frame, offload);
    assert.equal(segments.length, 8);
    let data = 0;
    for (const [index, segment] of segments.entries()) {
      const isIpv4 = kind === GSO_TCP4;
      const [at, bytes] = isIpv4 ? [26, 4] : [22, 16];
      if (isIpv4) {
        assert.equal(checksum(segment, 14, 34), 0);
        assert.equal(read16(segment, 16), segment.length - 14);
        assert.equal(read16(segment, 18), (0xffff + index) & 0xffff);
      } else assert.equal(read16(segment, 18), segment.length - 54);
      const source = segment.subarray(at, at + bytes);
      const destination = segment.subarray(at + bytes, at + 2 * bytes);
      const pseudo = pseudoHeaderSum(source, destination, 6, segment.length - tcp);
      assert.equal(checksum(segment, tcp, segment.length, pseudo), 0, 'the checksum of TCP');
      assert.equal(read32(segment, tcp + 4), (0xffff_f000 + data) >>> 0);
      const isLast = index === 7;
      assert.equal(segment[tcp + 13], 0x10 | (index === 0 ? 0x80 : 0) | (isLast ? 0x09 : 0));
      const payload = segment.subarray(offload.headerBytes);
      assert.deepEqual(payload, pattern(payload.length, data));
      data += payload.length;
    }
    assert.equal(data, 10_000);
  });
}

test('a checksum that is left undone is completed for a guest that does not', () => {
  const { frame, offload } = longSegment(GSO_TCP4, 100);
  const [whole] = finishFrame(frame, { ...offload, gso: 0 });
  const pseudo = pseudoHeaderSum(frame.subarray(26, 30), frame.subarray(30, 34), 6, 132);
  assert.equal(checksum(whole as Uint8Array, 34, frame.length, pseudo), 0);
});

test('headers that make no sense make no segments, and no exception', () => {
  const random = seededRandom(3);
  for (let round = 0; round < 3000; round++) {
    const { frame, offload } = longSegment(round & 1 ? GSO_TCP4 : GSO_TCP6, 3000);
    for (let count = 0; count < 5; count++) {
      frame[Math.floor(random() * 80)] = Math.floor(random() * 256);
    }
    const start = Math.floor(random() * 100);
    const checksum = random() < 0.5 ? { start, offset: 16 } : offload.checksum;
    const cut = frame.subarray(0, 14 + Math.floor(random() * 200));
    for (const segment of finishFrame(cut, { ...offload, checksum })) {
      assert.ok(segment.length <= 1600);
    }
  }
});
