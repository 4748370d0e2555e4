import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../clock.ts';
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN } from '../wire/tcp.ts';
import type { FakeStream } from './fake-host.fixture.ts';
import { only, Station } from './station.fixture.ts';

/** A station that has connected from port 40000 to port 80 of 192.0.2.1. */
function connected(station = new Station(), destination = '192.0.2.1') {
  station.sendTcp(destination, { sequence: 1000, flags: TCP_SYN, options: { mss: 1460 } });
  const stream = only(station.host.streams);
  stream.events.connected();
  const answer = station.segment();
  assert.equal(answer.flags, TCP_SYN | TCP_ACK);
  const iss = answer.sequence;
  station.sendTcp(destination, { sequence: 1001, acknowledgement: iss + 1, flags: TCP_ACK });
  const send = (
    flags: number,
    sequence: number,
    acknowledgement: number,
    data = '',
    window = 65535,
  ) =>
    station.sendTcp(
      destination,
      { flags, sequence: 1001 + sequence, acknowledgement: iss + 1 + acknowledgement, window },
      data,
    );
  return { station, stream, send, iss };
}

test('TCP: the SYN is answered once the host has connected', () => {
  const station = new Station();
  station.sendTcp('192.0.2.1', { sequence: 1000, flags: TCP_SYN, options: { mss: 1400 } });
  const stream = only(station.host.streams);
  assert.deepEqual([stream.address, stream.port], ['192.0.2.1', 80]);
  assert.equal(station.segments().length, 0);
  stream.events.connected();
  const answer = station.segment();
  assert.equal(answer.flags, TCP_SYN | TCP_ACK);
  assert.equal(answer.acknowledgement, 1001);
  assert.equal(answer.options.mss, 1460);
  assert.equal(answer.options.windowScale, undefined, 'what was not offered is not answered');
});

test('TCP: what the host refuses is refused', () => {
  const station = new Station();
  station.sendTcp('192.0.2.1', { sequence: 1000, flags: TCP_SYN });
  only(station.host.streams).events.closed('refused');
  const reset = station.segment();
  assert.equal(reset.flags, TCP_RST | TCP_ACK);
  assert.equal(reset.acknowledgement, 1001);
  assert.equal(station.network.size.tcp, 0);
});

test('TCP: what the host cannot reach is unreachable', () => {
  const station = new Station();
  station.sendTcp('2001:db8::1', { sequence: 1000, flags: TCP_SYN });
  only(station.host.streams).events.closed('unreachable');
  const message = only(station.packets());
  assert.deepEqual([message.protocol, message.payload[0], message.payload[1]], [58, 1, 0]);
  assert.equal(station.network.size.tcp, 0);
});

test('TCP: what the rules forbid is reset, and the host does not learn of it', () => {
  const station = new Station('user,allow=192.0.2.1:443');
  station.sendTcp('192.0.2.1', { sequence: 1000, flags: TCP_SYN });
  assert.equal(station.segment().flags, TCP_RST | TCP_ACK);
  station.sendTcp('10.0.2.2', { sequence: 1000, flags: TCP_SYN });
  assert.equal(station.segment().flags, TCP_RST | TCP_ACK);
  assert.equal(station.host.streams.length, 0);
});

test('TCP: the gateway stands for the host, the name server for its own', () => {
  const station = new Station();
  station.sendTcp('10.0.2.2', { sequence: 1, flags: TCP_SYN });
  station.sendTcp('10.0.2.3', { sequence: 1, flags: TCP_SYN, destinationPort: 53 });
  const places = station.host.streams.map(({ address, port }) => `${address} ${port}`);
  assert.deepEqual(places, ['127.0.0.1 80', '192.0.2.53 53']);
  station.sendTcp('10.0.2.3', { sequence: 1, flags: TCP_SYN });
  assert.equal(station.segment().flags, TCP_RST | TCP_ACK);
});

test('TCP: data goes both ways', () => {
  const { station, stream, send } = connected();
  send(TCP_ACK | TCP_PSH, 0, 0, 'GET /');
  assert.equal(stream.text, 'GET /');
  stream.events.data(Buffer.from('hello'));
  const segment = station.segment();
  assert.equal(Buffer.from(segment.data).toString(), 'hello');
  assert.equal(segment.acknowledgement, 1006, 'the acknowledgement rides on the data');
});

test('TCP: data is acknowledged after a short while when there is nothing for it to ride on', () => {
  const { station, send } = connected();
  send(TCP_ACK, 0, 0, 'GET /');
  assert.equal(station.segments().length, 0);
  station.clock.pass(0.01 * SECOND);
  assert.equal(station.segment().acknowledgement, 1006);
});

test('TCP: data out of order waits for what is missing, and is asked for', () => {
  const { station, stream, send } = connected();
  send(TCP_ACK, 5, 0, 'world');
  assert.equal(stream.text, '');
  assert.equal(station.segment().acknowledgement, 1001);
  send(TCP_ACK, 0, 0, 'hello');
  assert.equal(stream.text, 'helloworld');
  assert.equal(station.segment().acknowledgement, 1011);
  send(TCP_ACK, 3, 0, 'loworld!'); // partly known
  assert.equal(stream.text, 'helloworld!');
});

test('TCP: each direction ends on its own', () => {
  const { station, stream, send } = connected();
  send(TCP_ACK | TCP_FIN, 0, 0, 'last words');
  assert.equal(stream.text, 'last words');
  assert.equal(stream.isEnded, true);
  assert.equal(station.segments().length, 0, 'an answer may come at once');
  stream.events.data(Buffer.from('answer'));
  const answer = station.segment();
  assert.equal(Buffer.from(answer.data).toString(), 'answer');
  assert.equal(answer.acknowledgement, 1012);
  stream.events.ended();
  stream.events.closed(undefined);
  const fin = station.segment();
  assert.equal(fin.flags & TCP_FIN, TCP_FIN);
  send(TCP_ACK, 11, 7);
  assert.equal(station.network.size.tcp, 0, 'who ends last need not wait');
});

test('TCP: an end that nobody answers is acknowledged in a little while', () => {
  const { station, send } = connected();
  send(TCP_ACK | TCP_FIN, 0, 0);
  assert.equal(station.segments().length, 0);
  station.clock.pass(0.01 * SECOND);
  assert.equal(station.segment().acknowledgement, 1002);
});

test('TCP: who ends first lingers to acknowledge the end of the other again', () => {
  const { station, stream, send } = connected();
  stream.events.ended();
  assert.equal(station.segment().flags & TCP_FIN, TCP_FIN);
  send(TCP_ACK | TCP_FIN, 0, 1);
  station.take();
  assert.equal(station.network.size.tcp, 1);
  send(TCP_ACK | TCP_FIN, 0, 1); // our acknowledgement was lost
  assert.equal(station.segment().acknowledgement, 1002);
  station.clock.pass(5 * SECOND);
  assert.equal(station.network.size.tcp, 0);
});

test('TCP: a port in its last moments can be used again', () => {
  const { station, stream, send } = connected();
  stream.events.ended();
  station.take();
  send(TCP_ACK | TCP_FIN, 0, 1);
  station.take();
  station.sendTcp('192.0.2.1', { sequence: 5000, flags: TCP_SYN });
  assert.equal(station.host.streams.length, 2);
});

test('TCP: a reset of the guest resets the host, and the other way round', () => {
  const one = connected();
  one.send(TCP_RST, 0, 0);
  assert.equal(one.stream.isReset, true);
  assert.equal(one.station.network.size.tcp, 0);
  const other = connected();
  other.stream.events.closed('reset');
  assert.equal(other.station.segment().flags & TCP_RST, TCP_RST);
  assert.equal(other.station.network.size.tcp, 0);
});

test('TCP: a reset with a wrong sequence number is questioned, not obeyed', () => {
  const { station, stream, send } = connected();
  send(TCP_RST, 100, 0);
  assert.equal(stream.isReset, false);
  assert.equal(station.segment().flags, TCP_ACK);
});

test('TCP: a SYN in the middle of a connection is questioned, not obeyed', () => {
  const { station, stream, send } = connected();
  send(TCP_SYN, 10, 0);
  assert.equal(stream.isReset, false);
  assert.equal(station.segment().flags, TCP_ACK);
});

test('TCP: a segment of no connection is reset', () => {
  const station = new Station();
  station.sendTcp('192.0.2.1', { sequence: 7, acknowledgement: 99, flags: TCP_ACK }, 'data');
  const reset = station.segment();
  assert.equal(reset.flags, TCP_RST);
  assert.equal(reset.sequence, 99);
  station.sendTcp('192.0.2.1', { sequence: 7, flags: TCP_RST });
  assert.equal(station.segments().length, 0);
});

test('TCP: a guest that sends faster than the host takes is held back', () => {
  const { station, stream, send } = connected();
  const chunk = 'x'.repeat(1400);
  let sent = 0;
  for (; sent < 1_000_000; sent += chunk.length) {
    const before = stream.written.length;
    stream.backlog = sent;
    send(TCP_ACK, sent, 0, chunk);
    if (stream.written.length === before) break;
  }
  assert.ok(sent <= 256 * 1024 + 65_536, `${sent} bytes were taken`);
  const closed = station.segments().at(-1);
  assert.equal(closed?.window, 0);
  stream.backlog = 0;
  stream.events.drained();
  assert.ok((station.segment().window ?? 0) > 0, 'the guest is told that it may go on');
});

test('TCP: a host that sends faster than the guest takes is held back', () => {
  const { station, stream, send } = connected();
  const chunk = Buffer.alloc(60_000, 1);
  let given = 0;
  while (!stream.isPaused && given < 2_000_000) {
    stream.events.data(chunk);
    given += chunk.length;
  }
  assert.ok(given <= 256 * 1024 + chunk.length, `${given} bytes were taken`);
  let received = 0;
  for (let round = 0; round < 100 && received < given; round++) {
    for (const segment of station.segments()) received += segment.data.length;
    send(TCP_ACK, 0, received);
  }
  assert.equal(received, given);
  assert.equal(stream.isPaused, false);
});

test('TCP: a closed window is probed until it opens', () => {
  const { station, stream, send } = connected();
  send(TCP_ACK, 0, 0, '', 0);
  stream.events.data(Buffer.from('hello'));
  assert.equal(station.segments().length, 0);
  station.clock.pass(3 * SECOND);
  const probes = station.segments();
  assert.ok(probes.length >= 1 && probes.every(({ data }) => data.length === 0));
  send(TCP_ACK, 0, 0, '', 3);
  assert.equal(Buffer.from(station.segment().data).toString(), 'hel');
  send(TCP_ACK, 0, 3, '', 100);
  assert.equal(Buffer.from(station.segment().data).toString(), 'lo');
});

test('TCP: what is not acknowledged is sent again, later and later, and in the end given up', () => {
  const { station, stream } = connected();
  stream.events.data(Buffer.from('hello'));
  const times: number[] = [];
  for (let second = 0; second < 1000 && station.network.size.tcp > 0; second++) {
    for (const { data } of station.segments()) if (data.length > 0) times.push(second);
    station.clock.pass(SECOND);
  }
  assert.ok(times.length >= 8 && times.length < 20, `${times}`);
  const gaps = times.slice(1).map((time, index) => time - (times[index] as number));
  assert.ok((gaps.at(-1) as number) >= 30, `${gaps}`);
  assert.equal(stream.isReset, true);
});

test('TCP: a guest that stands still is not given up', () => {
  const { station, stream, send } = connected();
  stream.events.data(Buffer.from('hello'));
  station.take();
  station.link.isDrained = false;
  station.clock.pass(3600 * SECOND);
  assert.equal(station.segments().length, 0);
  station.link.isDrained = true;
  station.clock.pass(SECOND);
  assert.equal(Buffer.from(station.segments()[0]?.data ?? []).toString(), 'hello');
  send(TCP_ACK, 0, 5);
  assert.equal(stream.isReset, false);
});

test('TCP: a link without room delays segments, it does not lose them', () => {
  const { station, stream } = connected();
  station.link.hasRoom = false;
  stream.events.data(Buffer.from('hello'));
  stream.events.data(Buffer.from('world'));
  station.link.hasRoom = true;
  station.network.ready();
  const text = station.segments().map(({ data }) => Buffer.from(data).toString());
  assert.equal(text.join(''), 'helloworld');
});

test('TCP: keep-alive probes are answered', () => {
  const { station, send } = connected();
  station.clock.pass(SECOND);
  station.take();
  send(TCP_ACK, -1, 0);
  assert.equal(station.segment().acknowledgement, 1001);
});

test('TCP: with offloads, data goes in bursts and checksums are left undone', () => {
  const { station, stream } = connected();
  station.link.offloads = { checksum: true, tcp4: true, tcp6: true };
  station.take();
  stream.events.data(Buffer.alloc(30_000));
  const { frame, offload } = only(station.link.sent);
  assert.equal(frame.length, 14 + 20 + 20 + 30_000);
  assert.deepEqual(offload, {
    checksum: { start: 34, offset: 16 },
    gso: 1,
    headerBytes: 54,
    segmentBytes: 536 + 924,
  });
});

test('TCP: a forwarded port leads into the guest', async () => {
  const station = new Station('user', ['8080:80']);
  await station.network.open();
  station.sendUdp(1, '192.0.2.1', 1, ''); // the guest is heard of
  const client = station.host.client(8080);
  client.events.data(Buffer.from('early'));
  const syn = station.segment();
  assert.equal(syn.flags, TCP_SYN);
  assert.equal(syn.destinationPort, 80);
  const reply = { sourcePort: 80, destinationPort: syn.sourcePort };
  station.sendTcp('10.0.2.2', {
    ...reply,
    flags: TCP_SYN | TCP_ACK,
    sequence: 500,
    acknowledgement: syn.sequence + 1,
    options: { mss: 1460, windowScale: 7 },
  });
  const data = station.segment(); // it carries the acknowledgement, too
  assert.equal(Buffer.from(data.data).toString(), 'early');
  assert.equal(data.acknowledgement, 501);
  const answer = { ...reply, flags: TCP_ACK, sequence: 501, acknowledgement: syn.sequence + 6 };
  station.sendTcp('10.0.2.2', answer, 'served');
  assert.equal(client.text, 'served');
});

test('TCP: a forwarded port that nobody in the guest listens on is reset', async () => {
  const station = new Station('user', ['8080:80']);
  await station.network.open();
  station.sendUdp(1, '192.0.2.1', 1, '');
  const client: FakeStream = station.host.client(8080);
  const syn = station.segment();
  station.sendTcp('10.0.2.2', {
    sourcePort: 80,
    destinationPort: syn.sourcePort,
    flags: TCP_RST | TCP_ACK,
    acknowledgement: syn.sequence + 1,
  });
  assert.equal(client.isReset, true);
  assert.equal(station.network.size.tcp, 0);
});

test('forwards: one that cannot be had closes those before it', async () => {
  const station = new Station('user', ['8080:80', '8081:81', '8082:82']);
  station.host.busyPorts.add(8082);
  await assert.rejects(station.network.open(), { code: 'port-in-use' });
  assert.equal(station.host.listeners.length, 0);
});

test('a new guest finds nothing of the old one, and the old ports', async () => {
  const station = new Station('user', ['8080:80']);
  await station.network.open();
  const { stream } = connected(station);
  station.sendUdp(4000, '192.0.2.1', 7, 'hello');
  station.network.restarted();
  assert.equal(stream.isReset, true);
  assert.equal(only(station.host.datagrams).isClosed, true);
  assert.deepEqual(station.network.size, { tcp: 0, udp: 0 });
  assert.equal(station.packets().length, 0);
  assert.equal(station.host.listeners.length, 1);
});
