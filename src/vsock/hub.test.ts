import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUFFER_BYTES } from './connection.ts';
import { TestHub, type TestPipe } from './hub.fixture.ts';
import { OP } from './packet.ts';

const bytes = (count: number) => new Uint8Array(count).map((_, at) => at);

/** A connection that the guest has opened. */
function open(): { hub: TestHub; pipe: TestPipe } {
  const hub = new TestHub();
  hub.guest(OP.REQUEST);
  const pipe = hub.pipes[0] as TestPipe;
  pipe.events.opened();
  assert.deepEqual(hub.ops(), [OP.RESPONSE]);
  return { hub, pipe };
}

test('the guest reaches a program of the host by its port, and bytes go both ways', () => {
  const { hub, pipe } = open();
  assert.equal(pipe.port, 80);
  hub.guest(OP.RW, {}, bytes(1000));
  assert.deepEqual(pipe.last, bytes(1000));
  pipe.events.data(bytes(500));
  const [packet] = hub.sent();
  assert.deepEqual(
    [packet?.op, packet?.sourcePort, packet?.destinationPort, packet?.sourceCid],
    [OP.RW, 80, 5000, 2],
  );
  assert.deepEqual(packet?.payload, bytes(500));
});

test('where nobody listens the guest is refused', () => {
  const hub = new TestHub();
  hub.guest(OP.REQUEST);
  hub.pipes[0]?.events.closed();
  assert.deepEqual(hub.ops(), [OP.RST]);
  assert.equal(hub.hub.connections, 0);
});

test('a program of the host reaches the guest, if that accepts', () => {
  const hub = new TestHub();
  const ports: number[] = [];
  const events = hub.hub.connect(22, (port) => ports.push(port));
  const [request] = hub.sent();
  assert.deepEqual([request?.op, request?.destinationPort], [OP.REQUEST, 22]);
  const hostPort = request?.sourcePort as number;
  const place = { sourcePort: 22, destinationPort: hostPort };
  hub.guest(OP.RESPONSE, place);
  assert.deepEqual(ports, [hostPort]);
  events?.data(bytes(10));
  assert.deepEqual(hub.ops(), [OP.RW]);
  hub.hub.connect(22, () => {});
  const second = hub.sent()[0]?.sourcePort as number;
  assert.notEqual(second, hostPort);
  hub.guest(OP.RST, { sourcePort: 22, destinationPort: second });
  assert.equal(hub.hub.connections, 1);
});

test('no more is sent to the guest than it has room for', () => {
  const { hub, pipe } = open();
  pipe.events.data(bytes(100_000));
  assert.equal(
    hub.sent().reduce((sum, { length }) => sum + length, 0),
    65536,
  );
  assert.equal(pipe.isPaused, true);
  hub.guest(OP.CREDIT_UPDATE, { taken: 30_000 });
  assert.equal(
    hub.sent().reduce((sum, { length }) => sum + length, 0),
    30_000,
  );
  hub.guest(OP.CREDIT_UPDATE, { taken: 65_536 });
  assert.equal(
    hub.sent().reduce((sum, { length }) => sum + length, 0),
    100_000 - 65_536 - 30_000,
  );
  assert.equal(pipe.isPaused, false);
});

test('the guest hears of room when the host has taken its bytes, or asks', () => {
  const { hub, pipe } = open();
  for (let sent = 0; sent < BUFFER_BYTES; sent += 32_768) hub.guest(OP.RW, {}, bytes(32_768));
  assert.deepEqual(hub.ops(), []);
  pipe.events.written(BUFFER_BYTES / 2);
  const [update] = hub.sent();
  assert.deepEqual([update?.op, update?.taken], [OP.CREDIT_UPDATE, BUFFER_BYTES / 2]);
  hub.guest(OP.CREDIT_REQUEST);
  assert.deepEqual(hub.ops(), [OP.CREDIT_UPDATE]);
});

test('a guest that sends more than there is room for loses the connection', () => {
  const { hub, pipe } = open();
  for (let sent = 0; sent < BUFFER_BYTES; sent += 32_768) hub.guest(OP.RW, {}, bytes(32_768));
  hub.guest(OP.RW, {}, bytes(1));
  assert.deepEqual(hub.ops(), [OP.RST]);
  assert.equal(pipe.isDestroyed, true);
});

test('each side may say that it has said all, and the other goes on', () => {
  const { hub, pipe } = open();
  hub.guest(OP.RW, {}, bytes(10));
  hub.guest(OP.SHUTDOWN, { flags: 2 });
  assert.equal(pipe.hasEnded, true);
  pipe.events.data(bytes(10));
  assert.deepEqual(hub.ops(), [OP.RW]);
  pipe.events.ended();
  const [shutdown] = hub.sent();
  assert.deepEqual([shutdown?.op, shutdown?.flags], [OP.SHUTDOWN, 2]);
  pipe.events.written(10);
  pipe.events.closed();
  const [whole] = hub.sent();
  assert.deepEqual([whole?.op, whole?.flags], [OP.SHUTDOWN, 3]);
  hub.guest(OP.SHUTDOWN, { flags: 3 });
  assert.deepEqual(hub.ops(), [OP.RST]);
  assert.equal(hub.hub.connections, 0);
});

test('a socket that the guest closes is over when all of its bytes are on their way', () => {
  const { hub, pipe } = open();
  hub.guest(OP.RW, {}, bytes(10));
  hub.guest(OP.SHUTDOWN, { flags: 3 });
  assert.deepEqual(hub.ops(), []);
  assert.equal(pipe.isDestroyed, false);
  pipe.events.written(10);
  assert.deepEqual(hub.ops(), [OP.RST]);
  assert.equal(pipe.isDestroyed, true);
});

test('what the host said before it closed reaches the guest first', () => {
  const { hub, pipe } = open();
  pipe.events.data(bytes(80_000));
  pipe.events.ended();
  pipe.events.closed();
  assert.deepEqual(hub.ops(), [OP.RW, OP.RW]);
  hub.guest(OP.CREDIT_UPDATE, { taken: 65_536 });
  const rest = hub.sent();
  assert.deepEqual(
    rest.map(({ op, flags }) => [op, flags]),
    [
      [OP.RW, 0],
      [OP.SHUTDOWN, 3],
    ],
  );
});

test('a stream that breaks resets the connection', () => {
  const { hub, pipe } = open();
  pipe.events.closed();
  assert.deepEqual(hub.ops(), [OP.RST]);
});

test('packets of no connection, to nobody, or of another kind are refused', () => {
  const hub = new TestHub();
  hub.guest(OP.RW, {}, bytes(10));
  hub.guest(OP.REQUEST, { destinationCid: 9 });
  hub.guest(OP.REQUEST, { type: 2 });
  assert.deepEqual(hub.ops(), [OP.RST, OP.RST, OP.RST]);
  hub.guest(OP.RST);
  hub.guest(OP.REQUEST, { sourceCid: 4 });
  hub.link.deliver(new Uint8Array(43));
  assert.deepEqual(hub.ops(), []);
  assert.equal(hub.pipes.length, 0);
});

test('a second request on an open connection ends it', () => {
  const { hub } = open();
  hub.guest(OP.REQUEST);
  assert.deepEqual(hub.ops(), [OP.RST]);
});

test('while the link is full packets wait, in order', () => {
  const { hub, pipe } = open();
  hub.link.hasRoom = false;
  pipe.events.data(bytes(10));
  pipe.events.data(bytes(20));
  assert.equal(pipe.isPaused, true);
  assert.deepEqual(hub.ops(), []);
  hub.link.hasRoom = true;
  hub.hub.ready();
  assert.deepEqual(
    hub.sent().map(({ length }) => length),
    [10, 20],
  );
  assert.equal(pipe.isPaused, false);
});

test('another guest knows of no connection', () => {
  const { hub, pipe } = open();
  hub.hub.restarted();
  assert.equal(pipe.isDestroyed, true);
  assert.equal(hub.hub.connections, 0);
  assert.deepEqual(hub.ops(), []);
});
