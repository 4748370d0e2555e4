/**
 * A port of a switch among hostile peers, with a guest that takes frames when it likes. What must hold: no exception;
 * what reaches the guest has a length that can be, and leaves undone what it accepts alone.
 */
import assert from 'node:assert/strict';
import { PLAIN_FRAME } from '../../../src/bus/mod.ts';
import { isAcceptable } from '../../../src/net/switch/segment.ts';
import {
  type PeerEvents,
  type PeerStream,
  SwitchPort,
} from '../../../src/net/switch/switch-port.ts';
import { frameMessage, helloMessage } from '../../../src/net/switch/wire.ts';
import { FakeClock, FakeLink, seededRandom } from '../../../src/net/test-kit.fixture.ts';
import { below, hostileFrame, pick, type Random } from './frames.ts';

const MESSAGES_A_ROUND = 2000;
const PEERS = 6;

class HostilePeer implements PeerStream {
  events: PeerEvents | undefined;
  backlog = 0;
  isPaused = false;
  isOver = false;

  write(): void {}
  flush(): void {}
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.events?.closed();
  }
}

/** One life of a port, which `seed` determines. Returns the messages it got. */
export function round(seed: number): number {
  const random = seededRandom(seed);
  for (let warm = 0; warm < 10; warm++) random();
  const link = new FakeLink();
  const flag = () => random() < 0.5;
  link.offloads = { checksum: flag(), tcp4: flag(), tcp6: flag() };
  const clock = new FakeClock();
  const port = new SwitchPort({ id: '8888888888888888', link, clock });
  let peers: HostilePeer[] = [];
  for (let count = 0; count < MESSAGES_A_ROUND; count++) {
    if (peers.length < PEERS) peers.push(join(random, port));
    const peer = pick(random, peers);
    if (random() < 0.1) peer.backlog = below(random, 2 ** 22);
    if (!peer.isPaused) peer.events?.data(message(random));
    if (random() < 0.2) link.hasRoom = flag();
    if (link.hasRoom && random() < 0.5) port.ready();
    if (random() < 0.3) {
      const { frame, offload } = hostileFrame(random);
      port.receive(frame, offload);
      port.settled();
    }
    if (random() < 0.02) clock.pass(below(random, 400) * 1e9);
    if (random() < 0.01) port.restarted();
    if (random() < 0.05) peer.events?.drained();
    if (random() < 0.01) peer.close();
    peers = peers.filter(({ isOver }) => !isOver);
    assert.ok(port.peers.length <= peers.length);
    for (const { frame, offload } of link.sent.splice(0)) {
      assert.ok(frame.length >= 14 && frame.length <= 65_549, `a frame of ${frame.length} bytes`);
      assert.ok(isAcceptable(offload, link.offloads));
    }
  }
  port.close();
  return MESSAGES_A_ROUND;
}

/** A peer that begins as it should, as it should not, or in the name of another. */
function join(random: Random, port: SwitchPort): HostilePeer {
  const peer = new HostilePeer();
  peer.events = port.join(peer, random() < 0.5);
  const id = below(random, 8).toString(16).repeat(16);
  if (random() < 0.9) peer.events.data(helloMessage(random() < 0.02 ? port.id : id));
  return peer;
}

function message(random: Random): Uint8Array {
  const { frame, offload } = hostileFrame(random);
  const bytes = frameMessage(frame, random() < 0.3 ? PLAIN_FRAME : offload);
  if (random() < 0.1) bytes[below(random, Math.min(bytes.length, 16))] = below(random, 256);
  return random() < 0.02 ? bytes.subarray(0, below(random, bytes.length)) : bytes;
}
