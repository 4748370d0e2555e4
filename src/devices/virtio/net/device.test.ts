import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLAIN_FRAME } from '../../../bus/mod.ts';
import { HandClock } from '../../test-kit.fixture.ts';
import { VIRTIO_F_EVENT_IDX } from '../spec.ts';
import { HandDriver } from './driver.fixture.ts';
import {
  VIRTIO_NET_F_CSUM,
  VIRTIO_NET_F_CTRL_GUEST_OFFLOADS,
  VIRTIO_NET_F_CTRL_MAC_ADDR,
  VIRTIO_NET_F_CTRL_VQ,
  VIRTIO_NET_F_GUEST_CSUM,
  VIRTIO_NET_F_GUEST_TSO4,
  VIRTIO_NET_F_HOST_TSO4,
  VIRTIO_NET_F_MQ,
  VIRTIO_NET_F_MRG_RXBUF,
} from './spec.ts';

const RECEIVE = 0;
const TRANSMIT = 1;
const CONTROL = 2;

function frameOf(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => index * 7);
}

function header(
  fields: Partial<Record<'flags' | 'gso' | 'bytes' | 'size' | 'start' | 'offset', number>>,
) {
  const view = new DataView(new ArrayBuffer(12));
  view.setUint8(0, fields.flags ?? 0);
  view.setUint8(1, fields.gso ?? 0);
  view.setUint16(2, fields.bytes ?? 0, true);
  view.setUint16(4, fields.size ?? 0, true);
  view.setUint16(6, fields.start ?? 0, true);
  view.setUint16(8, fields.offset ?? 0, true);
  return new Uint8Array(view.buffer);
}

function transmit(driver: HandDriver, head: Uint8Array, frame: Uint8Array): void {
  driver.queue(TRANSMIT).post([driver.place(head), driver.place(frame)]);
  driver.device.notify(TRANSMIT);
  driver.device.poll();
}

test('net: configuration tells address, link and pairs', () => {
  const driver = new HandDriver(0n);
  assert.equal(driver.device.readConfig(0, 4), 0x1200_5452);
  assert.equal(driver.device.readConfig(4, 2), 0x5634);
  assert.equal(driver.device.readConfig(6, 2), 1);
  assert.equal(driver.device.readConfig(8, 2), 1);
});

test('net: frames of the driver go out, in one buffer or many', () => {
  const driver = new HandDriver(0n);
  const frame = frameOf(100);
  transmit(driver, header({}), frame);
  const whole = driver.place(Uint8Array.of(...header({}), ...frame));
  driver.queue(TRANSMIT).post([
    { ...whole, bytes: 5 },
    { ...whole, gpa: whole.gpa + 5, bytes: 30 },
    { ...whole, gpa: whole.gpa + 35, bytes: whole.bytes - 35 },
  ]);
  driver.device.notify(TRANSMIT);
  driver.device.poll();
  assert.deepEqual(
    driver.link.sent.map((sent) => sent.frame),
    [frame, frame],
  );
  assert.deepEqual(
    driver
      .queue(TRANSMIT)
      .used()
      .map(({ bytes }) => bytes),
    [0, 0],
  );
  assert.equal(driver.device.counters.sentFrames, 2);
});

test('net: what the driver leaves undone is passed on, as far as it was agreed', () => {
  const driver = new HandDriver(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4);
  transmit(driver, header({ flags: 1, start: 34, offset: 16 }), frameOf(100));
  transmit(
    driver,
    header({ flags: 1, gso: 1, bytes: 54, size: 1448, start: 34, offset: 16 }),
    frameOf(30_000),
  );
  assert.deepEqual(
    driver.link.sent.map(({ offload }) => offload),
    [
      { ...PLAIN_FRAME, checksum: { start: 34, offset: 16 } },
      { checksum: { start: 34, offset: 16 }, gso: 1, headerBytes: 54, segmentBytes: 1448 },
    ],
  );
});

const impossible: readonly (readonly [what: string, header: Uint8Array, frame: Uint8Array])[] = [
  ['a checksum beyond the end', header({ flags: 1, start: 90, offset: 9 }), frameOf(100)],
  ['segments that were not agreed', header({ flags: 1, gso: 4, size: 1 }), frameOf(100)],
  ['segments without a checksum', header({ gso: 1, size: 1448 }), frameOf(100)],
  ['segments of no bytes', header({ flags: 1, gso: 1 }), frameOf(100)],
  ['a frame that is too short', header({}), frameOf(13)],
  ['a frame that is too long', header({}), frameOf(65_550)],
  ['a header that is too short', header({}).subarray(0, 5), frameOf(1)],
];
for (const [what, head, frame] of impossible) {
  test(`net: ${what} is dropped and handed back`, () => {
    const driver = new HandDriver(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4);
    transmit(driver, head, frame);
    assert.equal(driver.link.sent.length, 0);
    assert.equal(driver.queue(TRANSMIT).used().length, 1);
    assert.equal(driver.device.counters.droppedFrames, 1);
    assert.deepEqual(driver.reasons, []);
  });
}

test('net: a checksum is not left undone when that was not agreed', () => {
  const driver = new HandDriver(0n);
  transmit(driver, header({ flags: 1, start: 34, offset: 16 }), frameOf(100));
  assert.equal(driver.link.sent.length, 0);
});

test('net: frames wait in the queue while the link has no room', () => {
  const driver = new HandDriver(0n);
  driver.link.hasRoom = false;
  transmit(driver, header({}), frameOf(60));
  transmit(driver, header({}), frameOf(61));
  assert.equal(driver.queue(TRANSMIT).used().length, 0);
  driver.link.hasRoom = true;
  driver.device.ready();
  assert.deepEqual(
    driver.link.sent.map(({ frame }) => frame.length),
    [60, 61],
  );
  assert.equal(driver.queue(TRANSMIT).used().length, 2);
});

test('net: frames that the driver queues in a row go together, and are told of once', () => {
  const driver = new HandDriver(0n);
  for (let count = 0; count < 10; count++) {
    driver.queue(TRANSMIT).post([driver.place(header({})), driver.place(frameOf(60))]);
    driver.device.notify(TRANSMIT);
  }
  assert.equal(driver.link.sent.length, 0);
  driver.device.poll();
  assert.equal(driver.link.sent.length, 10);
  assert.deepEqual(driver.interrupts, [TRANSMIT]);
});

test('net: a frame fills one buffer', () => {
  const driver = new HandDriver(0n);
  const room = driver.room(1526);
  driver.queue(RECEIVE).post([room]);
  driver.link.deliver(frameOf(100));
  assert.deepEqual(driver.queue(RECEIVE).used(), [{ head: 0, bytes: 112 }]);
  const contents = driver.contents(room, 112);
  assert.deepEqual([...contents.subarray(0, 12)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  assert.deepEqual(contents.subarray(12), frameOf(100));
  assert.deepEqual(driver.interrupts, [RECEIVE]);
});

test('net: a long frame fills as many buffers as it takes, all at once', () => {
  const driver = new HandDriver(VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_GUEST_CSUM);
  const rooms = [driver.room(100), driver.room(100), driver.room(100)];
  driver.queue(RECEIVE).post([rooms[0] as never]);
  driver.queue(RECEIVE).post([rooms[1] as never]);
  const offload = {
    checksum: { start: 34, offset: 16 },
    gso: 1,
    headerBytes: 54,
    segmentBytes: 9,
  } as const;
  driver.link.deliver(frameOf(250), offload);
  assert.equal(driver.queue(RECEIVE).used().length, 0, 'nothing before there is room for all');
  assert.equal(driver.link.waiting.length, 1);
  driver.queue(RECEIVE).post([rooms[2] as never]);
  driver.device.notify(RECEIVE);
  assert.deepEqual(
    driver
      .queue(RECEIVE)
      .used()
      .map(({ bytes }) => bytes),
    [100, 100, 62],
  );
  const all = rooms.flatMap((room) => [...driver.contents(room)]);
  assert.deepEqual(all.slice(0, 12), [1, 1, 54, 0, 9, 0, 34, 0, 16, 0, 3, 0]);
  assert.deepEqual(Uint8Array.from(all.slice(12, 262)), frameOf(250));
});

test('net: without merging, a frame too long for its buffer is dropped and the next arrives', () => {
  const driver = new HandDriver(0n);
  driver.queue(RECEIVE).post([driver.room(100)]);
  driver.queue(RECEIVE).post([driver.room(100)]);
  driver.link.deliver(frameOf(99));
  driver.link.deliver(frameOf(60));
  assert.deepEqual(
    driver
      .queue(RECEIVE)
      .used()
      .map(({ bytes }) => bytes),
    [0, 72],
  );
  assert.equal(driver.device.counters.droppedFrames, 1);
});

test('net: a driver that is not there loses its frames', () => {
  const driver = new HandDriver(0n);
  driver.device.reset();
  driver.link.deliver(frameOf(60));
  assert.equal(driver.link.waiting.length, 0);
});

test('net: the other end learns which offloads were agreed', () => {
  const driver = new HandDriver(VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4);
  assert.deepEqual(driver.link.accepted, { checksum: true, tcp4: true, tcp6: false });
  driver.device.reset();
  assert.deepEqual(driver.link.accepted, { checksum: false, tcp4: false, tcp6: false });
});

const CONTROL_FEATURES =
  VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_MAC_ADDR | VIRTIO_NET_F_CTRL_GUEST_OFFLOADS;

function command(driver: HandDriver, ...bytes: number[]): number | undefined {
  const answer = driver.room(1);
  const index = driver.queues.length - 1;
  driver.queue(index).post([driver.place(Uint8Array.from(bytes)), answer]);
  driver.device.notify(index);
  return driver.contents(answer)[0];
}

test('net: commands change the address and the offloads', () => {
  const driver = new HandDriver(CONTROL_FEATURES | VIRTIO_NET_F_GUEST_CSUM);
  assert.equal(command(driver, 1, 1, 0x52, 1, 2, 3, 4, 5), 0);
  assert.equal(driver.device.readConfig(0, 4), 0x0302_0152);
  assert.equal(command(driver, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
  assert.equal(driver.link.accepted.checksum, false);
  assert.equal(command(driver, 5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0), 1, 'TSO4 was not agreed');
  assert.equal(command(driver, 0, 0, 1), 0, 'promiscuous mode');
  assert.equal(command(driver, 77, 0, 1), 1, 'an unknown class');
  assert.equal(command(driver, 4, 0, 2, 0), 1, 'queue pairs that were not agreed');
});

test('net: a command without a place for its answer breaks the rules', () => {
  const driver = new HandDriver(CONTROL_FEATURES);
  driver.queue(CONTROL).post([driver.place(Uint8Array.of(0, 0, 1))]);
  driver.device.notify(CONTROL);
  assert.equal(driver.reasons.length, 1);
});

test('net: with several pairs, a connection stays in its queue', () => {
  const driver = new HandDriver(CONTROL_FEATURES | VIRTIO_NET_F_MQ, 4);
  assert.equal(driver.device.readConfig(8, 2), 4);
  assert.equal(command(driver, 4, 0, 4, 0), 0);
  assert.equal(command(driver, 4, 0, 5, 0), 1);
  for (let pair = 0; pair < 4; pair++) {
    for (let count = 0; count < 64; count++) driver.queue(2 * pair).post([driver.room(200)]);
  }
  const used = () => [0, 2, 4, 6].map((index) => driver.queue(index).used().length);
  const flow = (port: number) => {
    const frame = new Uint8Array(60);
    frame.set([8, 0, 0x45], 12);
    frame.set([port >> 8, port & 0xff], 34);
    return frame;
  };
  for (let count = 0; count < 8; count++) driver.link.deliver(flow(1234));
  assert.deepEqual(used().sort(), [0, 0, 0, 8]);
  for (let port = 0; port < 64; port++) driver.link.deliver(flow(port));
  assert.ok(used().every((count) => count > 4));
});

test('net: what was chosen is restored', () => {
  const driver = new HandDriver(CONTROL_FEATURES | VIRTIO_NET_F_GUEST_CSUM);
  command(driver, 1, 1, 0x52, 1, 2, 3, 4, 5);
  command(driver, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const saved = structuredClone(driver.device.persist.save());
  const other = new HandDriver(CONTROL_FEATURES | VIRTIO_NET_F_GUEST_CSUM);
  assert.equal(other.link.accepted.checksum, true);
  other.device.persist.restore(saved);
  other.activate();
  assert.equal(other.device.readConfig(0, 4), 0x0302_0152);
  assert.equal(other.link.accepted.checksum, false);
});

test('net: with event indexes, a driver is interrupted once for what it was told of', () => {
  const driver = new HandDriver(VIRTIO_F_EVENT_IDX);
  for (let count = 0; count < 10; count++) driver.queue(RECEIVE).post([driver.room(200)]);
  for (let count = 0; count < 5; count++) driver.link.deliver(frameOf(60));
  assert.deepEqual(driver.interrupts, [RECEIVE], 'the driver has not asked again');
});

test('net: the driver is told of sent frames together, a little later', () => {
  const clock = new HandClock();
  const driver = new HandDriver(0n, 1, clock);
  for (let count = 0; count < 3; count++) transmit(driver, header({}), frameOf(60));
  assert.equal(driver.queue(TRANSMIT).used().length, 3, 'it can look by itself');
  assert.deepEqual(driver.interrupts, []);
  clock.advance(1_000_000);
  assert.deepEqual(driver.interrupts, [TRANSMIT]);
  clock.advance(10_000_000);
  assert.deepEqual(driver.interrupts, [TRANSMIT]);
});

test('net: a driver whose queue may be full is told of sent frames at once', () => {
  const clock = new HandClock();
  const driver = new HandDriver(0n, 1, clock);
  const { size } = driver.queue(TRANSMIT).queue;
  for (let count = 0; count < size / 2 - 1; count++) transmit(driver, header({}), frameOf(60));
  assert.deepEqual(driver.interrupts, []);
  transmit(driver, header({}), frameOf(60));
  assert.deepEqual(driver.interrupts, [TRANSMIT]);
});

test('net: a driver that is restored hears of the frames that were sent before', () => {
  const clock = new HandClock();
  const driver = new HandDriver(0n, 1, clock);
  transmit(driver, header({}), frameOf(60));
  const saved = driver.device.persist.save();
  driver.device.reset();
  driver.device.persist.restore(saved);
  driver.activate();
  clock.advance(1_000_000);
  assert.deepEqual(driver.interrupts, [TRANSMIT]);
});

test('net: a reset forgets what was to be told', () => {
  const clock = new HandClock();
  const driver = new HandDriver(0n, 1, clock);
  transmit(driver, header({}), frameOf(60));
  driver.device.reset();
  assert.equal(clock.nextDeadline, undefined);
});
