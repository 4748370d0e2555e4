import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../clock.ts';
import { FakeClock, pattern, seededRandom } from '../test-kit.fixture.ts';
import { TimerQueue } from '../timer-queue.ts';
import { TcpConnection, type TcpEnding } from './connection.ts';
import { LossyWire, outputOnto, type WireFaults } from './lossy-wire.fixture.ts';

/** One end, what it is to send, and what it got. */
class End {
  readonly connection: TcpConnection;
  readonly received: Uint8Array[] = [];
  receivedBytes = 0;
  isEnded = false;
  ending: TcpEnding | undefined;
  #left: number;
  #sent = 0;

  constructor(timers: TimerQueue, out: LossyWire, toSend: number, burst: number | undefined) {
    this.#left = toSend;
    const output = outputOnto(out, burst === undefined ? {} : { burst });
    this.connection = new TcpConnection({
      localPort: 1,
      remotePort: 2,
      sequence: 0xffff_f000, // wraps early
      mss: 1460,
      timers,
      output: { ...output, wantFlush: () => queueMicrotask(() => this.connection.flush()) },
      events: {
        established: () => this.pump(),
        data: (bytes) => {
          this.received.push(bytes.slice());
          this.receivedBytes += bytes.length;
          this.connection.setReceiveRoom(256 * 1024);
        },
        ended: () => {
          this.isEnded = true;
        },
        sendable: () => this.pump(),
        closed: (ending) => {
          this.ending = ending;
        },
      },
    });
  }

  pump(): void {
    while (this.#left > 0 && this.connection.sendRoom > 0) {
      const bytes = Math.min(10_000, this.#left);
      this.connection.push(pattern(bytes, this.#sent));
      this.#sent += bytes;
      this.#left -= bytes;
    }
    if (this.#left === 0) this.connection.end();
  }
}

async function exchange(faults: WireFaults, there: number, back: number, burst?: number) {
  const clock = new FakeClock();
  const timers = new TimerQueue(clock);
  const wires = [
    new LossyWire(clock, faults),
    new LossyWire(clock, { ...faults, seed: faults.seed + 1 }),
  ] as const;
  const client = new End(timers, wires[0], there, burst);
  const server = new End(timers, wires[1], back, burst);
  let hasBegun = false;
  wires[0].deliver = (segment) => {
    if (hasBegun) server.connection.receive(segment);
    else {
      hasBegun = true;
      server.connection.begin(segment);
      server.connection.accept();
    }
  };
  wires[1].deliver = (segment) => client.connection.receive(segment);
  client.connection.connect();
  for (let step = 0; step < 200_000; step++) {
    const isOver = client.connection.state === 'closed' && server.connection.state === 'closed';
    if (isOver || clock.next === Number.POSITIVE_INFINITY) break;
    clock.pass(clock.next - clock.now());
    await null; // microtasks: acknowledgements
  }
  return { clock, client, server, wires };
}

function expectWhole(end: End, bytes: number): void {
  const all = Buffer.concat(end.received);
  assert.equal(all.length, bytes);
  assert.ok(all.equals(pattern(bytes)), 'the data arrived as it was sent');
  assert.ok(end.isEnded);
  assert.equal(end.ending, 'finished');
}

test('a connection carries data both ways and finishes on both sides', async () => {
  const { client, server, wires } = await exchange({ seed: 1 }, 300_000, 1_000_000);
  expectWhole(server, 300_000);
  expectWhole(client, 1_000_000);
  assert.equal(client.connection.state, 'closed');
  assert.equal(server.connection.state, 'closed');
  assert.ok(wires[1].segments < 1400, `no segment was sent in vain: ${wires[1].segments}`);
});

test('a connection without data opens and closes', async () => {
  const { client, server } = await exchange({ seed: 1 }, 0, 0);
  expectWhole(server, 0);
  expectWhole(client, 0);
});

test('bursts longer than a segment arrive whole', async () => {
  const { client, server } = await exchange({ seed: 3 }, 400_000, 400_001, 14_600);
  expectWhole(server, 400_000);
  expectWhole(client, 400_001);
});

for (let seed = 1; seed <= 20; seed++) {
  const random = seededRandom(seed * 7919);
  const faults = {
    seed,
    loss: random() * 0.15,
    repeat: random() * 0.1,
    jitter: random() < 0.3 ? 0 : random() * 5e6,
  };
  const [there, back] = [Math.floor(random() * 200_000), Math.floor(random() * 200_000)];
  test(`everything arrives in spite of ${JSON.stringify(faults)}`, async () => {
    const { client, server, clock } = await exchange(faults, there, back);
    expectWhole(server, there);
    expectWhole(client, back);
    assert.ok(clock.now() < 600 * SECOND);
  });
}
