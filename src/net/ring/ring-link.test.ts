import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { FrameOffload, LinkReceiver } from '../../bus/mod.ts';
import { PLAIN_FRAME } from '../../bus/mod.ts';
import { pattern, seededRandom } from '../test-kit.fixture.ts';
import { createRingMemory, RingLink } from './ring-link.ts';

class Collector implements LinkReceiver {
  readonly frames: { frame: Uint8Array; offload: FrameOffload }[] = [];
  takes = Number.POSITIVE_INFINITY;
  settledCount = 0;
  readyCount = 0;
  restartCount = 0;

  receive(frame: Uint8Array, offload: FrameOffload): boolean {
    if (this.frames.length >= this.takes) return false;
    this.frames.push({ frame: frame.slice(), offload });
    return true;
  }

  settled(): void {
    this.settledCount++;
  }

  ready(): void {
    this.readyCount++;
  }

  restarted(): void {
    this.restartCount++;
  }
}

function pair() {
  const memory = createRingMemory();
  const wakes: [number, number] = [0, 0];
  const ends = [
    new RingLink(memory, 0, () => wakes[1]++),
    new RingLink(memory, 1, () => wakes[0]++),
  ] as const;
  const collectors = [new Collector(), new Collector()] as const;
  ends[0].connect(collectors[0]);
  ends[1].connect(collectors[1]);
  return { ends, collectors, wakes };
}

test('ring: frames and what is left undone of them arrive in order', () => {
  const { ends, collectors } = pair();
  const offload = {
    checksum: { start: 34, offset: 16 },
    gso: 4,
    headerBytes: 74,
    segmentBytes: 1440,
  } as const;
  assert.ok(ends[0].send(pattern(60), PLAIN_FRAME));
  assert.ok(ends[0].send(pattern(65_549), offload));
  assert.equal(ends[0].isDrained, false);
  assert.ok(ends[1].poll());
  assert.equal(ends[0].isDrained, true);
  assert.deepEqual(
    collectors[1].frames.map(({ frame }) => frame),
    [pattern(60), pattern(65_549)],
  );
  assert.deepEqual(collectors[1].frames[0]?.offload, { ...PLAIN_FRAME, checksum: undefined });
  assert.deepEqual(collectors[1].frames[1]?.offload, offload);
  assert.equal(collectors[1].settledCount, 1);
  assert.equal(ends[1].poll(), false);
});

test('ring: the other end is woken for the first frame only', () => {
  const { ends, wakes } = pair();
  for (let count = 0; count < 10; count++) ends[0].send(pattern(60), PLAIN_FRAME);
  assert.deepEqual(wakes, [0, 1]);
  ends[1].poll();
  ends[0].send(pattern(60), PLAIN_FRAME);
  assert.deepEqual(wakes, [0, 2]);
});

test('ring: a frame that is refused is offered again', () => {
  const { ends, collectors } = pair();
  collectors[1].takes = 1;
  ends[0].send(pattern(60), PLAIN_FRAME);
  ends[0].send(pattern(61), PLAIN_FRAME);
  ends[1].poll();
  assert.equal(collectors[1].frames.length, 1);
  assert.equal(ends[1].poll(), false);
  collectors[1].takes = 2;
  assert.ok(ends[1].poll());
  assert.equal(collectors[1].frames[1]?.frame.length, 61);
});

test('ring: a full ring refuses, and says when it has room again', () => {
  const { ends, collectors, wakes } = pair();
  let sent = 0;
  while (ends[0].send(pattern(60_000), PLAIN_FRAME)) sent++;
  assert.ok(sent >= 10 && sent <= 17, `${sent}`);
  assert.equal(ends[0].hasNews, false);
  wakes[0] = 0;
  while (ends[1].poll());
  assert.equal(wakes[0], 1);
  assert.equal(ends[0].hasNews, true);
  ends[0].poll();
  assert.equal(collectors[0].readyCount, 1);
  assert.equal(collectors[1].frames.length, sent);
  assert.ok(ends[0].send(pattern(60_000), PLAIN_FRAME));
});

test('ring: offloads are told to the other end', () => {
  const { ends } = pair();
  assert.deepEqual(ends[1].offloads, { checksum: false, tcp4: false, tcp6: false });
  ends[0].accept({ checksum: true, tcp4: true, tcp6: false });
  assert.deepEqual(ends[1].offloads, { checksum: true, tcp4: true, tcp6: false });
  assert.deepEqual(ends[0].offloads, { checksum: false, tcp4: false, tcp6: false });
});

test('ring: a station that starts anew finds no old frames, and the other end hears of it', () => {
  const { ends, collectors } = pair();
  ends[0].accept({ checksum: true, tcp4: true, tcp6: true });
  ends[1].send(pattern(60), PLAIN_FRAME);
  ends[0].restart();
  assert.equal(ends[0].poll(), false);
  assert.equal(collectors[0].frames.length, 0);
  ends[1].poll();
  assert.equal(collectors[1].restartCount, 1);
  assert.equal(ends[1].offloads.checksum, false);
});

test('ring: random frames survive thousands of turns around the ring', () => {
  const { ends, collectors } = pair();
  const random = seededRandom(11);
  const expected: number[] = [];
  for (let turn = 0; turn < 3000; turn++) {
    const bytes = 14 + Math.floor(random() ** 4 * 65_000);
    if (ends[0].send(pattern(bytes, turn), PLAIN_FRAME)) expected.push(turn);
    if (random() < 0.3) {
      ends[1].poll();
      for (const { frame } of collectors[1].frames.splice(0)) {
        const first = expected.shift() as number;
        assert.ok(Buffer.from(frame).equals(pattern(frame.length, first)));
      }
    }
  }
});

test('ring: no frame and no wake-up is lost between two threads', {
  timeout: 300_000,
}, async () => {
  const memory = createRingMemory();
  const bell = new Int32Array(new SharedArrayBuffer(8));
  const count = 20_000;
  const worker = new Worker(new URL('./ring-echo.fixture.ts', import.meta.url), {
    workerData: { memory, bell },
  });
  const end = new RingLink(memory, 0, () => {
    Atomics.add(bell, 1, 1);
    Atomics.notify(bell, 1);
  });
  let received = 0;
  let isReady = true;
  end.connect({
    receive: (frame) => {
      assert.equal(frame[0], received & 0xff);
      received++;
      return true;
    },
    settled: () => {},
    ready: () => {
      isReady = true;
    },
    restarted: () => {},
  });
  let sent = 0;
  while (received < count) {
    const seen = Atomics.load(bell, 0);
    while (sent < count && isReady) {
      isReady = end.send(new Uint8Array(14 + (sent % 3000)).fill(sent), PLAIN_FRAME);
      if (isReady) sent++;
    }
    if (!end.poll() && !end.hasNews) {
      assert.notEqual(Atomics.wait(bell, 0, seen, 10_000), 'timed-out', 'a wake-up was lost');
    }
  }
  await worker.terminate();
});
