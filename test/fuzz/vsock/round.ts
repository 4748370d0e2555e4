/**
 * The hub of a guest's sockets under packets that hold anything, while the programs of the host come, talk and go. What must hold:
 * no exception; no more is sent to a connection than the guest said it has room for; no more waits for the host than
 * it gave room for; in the end nothing is left over.
 */
import assert from 'node:assert/strict';
import { seededRandom } from '../../../src/net/test-kit.fixture.ts';
import { BUFFER_BYTES } from '../../../src/vsock/connection.ts';
import { TestHub } from '../../../src/vsock/hub.fixture.ts';
import { OP } from '../../../src/vsock/packet.ts';

const STEPS = 1000;

type Random = () => number;
const below = (random: Random, limit: number) => Math.floor(random() * limit);
const pick = <T>(random: Random, from: readonly T[]) => from[below(random, from.length)] as T;

/** One life of a hub, which `seed` determines. Returns the steps taken. */
export function round(seed: number): number {
  const random = seededRandom(seed);
  for (let warm = 0; warm < 10; warm++) random();
  const test = new TestHub();
  const written = new Map<unknown, number>();
  const hostPorts = [80, 81];
  for (let step = 0; step < STEPS; step++) {
    if (random() < 0.6) send(random, test, hostPorts);
    else stir(random, test, written);
    if (random() < 0.05) test.hub.connect(below(random, 3), () => {});
    if (random() < 0.02) test.link.hasRoom = !test.link.hasRoom;
    if (test.link.hasRoom) test.hub.ready();
    if (random() < 0.002) test.hub.restarted();
    for (const packet of test.sent()) {
      assert.ok(packet.length <= 65536);
      if (packet.op === OP.REQUEST) hostPorts.push(packet.sourcePort);
    }
    for (const pipe of test.pipes) {
      assert.ok(
        pipe.received - (written.get(pipe) ?? 0) <= BUFFER_BYTES,
        'more than there is room',
      );
    }
  }
  test.hub.restarted();
  assert.equal(test.hub.connections, 0);
  for (const pipe of test.pipes) assert.equal(pipe.isDestroyed, true);
  return STEPS;
}

function send(random: Random, test: TestHub, hostPorts: readonly number[]): void {
  const op = random() < 0.95 ? 1 + below(random, 7) : below(random, 2 ** 16);
  const payload = new Uint8Array(op === OP.RW ? below(random, 40_000) : 0);
  const isSound = random() < 0.95;
  test.guest(
    op,
    {
      sourcePort: 5000 + below(random, 4),
      destinationPort: pick(random, hostPorts),
      flags: below(random, 4),
      bufferBytes: pick(random, [0, 1, 65536, 2 ** 18, 2 ** 32 - 1]),
      taken: pick(random, [0, 0, 1, 65536, below(random, 2 ** 32)]),
      ...(isSound ? {} : { destinationCid: below(random, 4), type: below(random, 3) }),
    },
    payload,
  );
  if (random() < 0.02) test.link.deliver(new Uint8Array(below(random, 200)));
}

/** Something happens at the host's end of a connection. */
function stir(random: Random, test: TestHub, written: Map<unknown, number>): void {
  const pipe = pick(random, test.pipes);
  if (pipe === undefined || pipe.isDestroyed) return;
  const { events } = pipe;
  switch (below(random, 6)) {
    case 0:
      events.opened();
      break;
    case 1:
    case 2:
      if (!pipe.isPaused) events.data(new Uint8Array(1 + below(random, 70_000)));
      break;
    case 3: {
      const before = written.get(pipe) ?? 0;
      const count = below(random, pipe.received - before + 1);
      written.set(pipe, before + count);
      events.written(count);
      break;
    }
    case 4:
      if (random() < 0.2) events.ended();
      break;
    default:
      if (random() < 0.1) pipe.destroy();
  }
}
