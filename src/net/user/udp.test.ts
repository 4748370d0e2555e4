import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECOND } from '../clock.ts';
import { Reassembly } from '../reassembly.ts';
import { pattern } from '../test-kit.fixture.ts';
import type { IpPacket } from '../wire/ip.ts';
import type { FakeDatagrams } from './fake-host.fixture.ts';
import { expectChecksum, GUEST, only, Station } from './station.fixture.ts';

test('UDP: a datagram goes out, and its answer comes back', () => {
  const station = new Station();
  station.sendUdp(4000, '192.0.2.1', 7, 'hello');
  const socket = only(station.host.datagrams);
  assert.deepEqual(socket.sent, [{ text: 'hello', address: '192.0.2.1', port: 7 }]);
  socket.events.message(Buffer.from('back'), '192.0.2.1', 7);
  const answer = station.datagram();
  assert.equal(answer.source, '192.0.2.1');
  assert.equal(answer.destination, GUEST);
  assert.deepEqual([answer.sourcePort, answer.destinationPort], [7, 4000]);
  assert.equal(Buffer.from(answer.data).toString(), 'back');
});

test('UDP: the gateway stands for the host', () => {
  const station = new Station();
  station.sendUdp(4000, '10.0.2.2', 7, 'hello');
  station.sendUdp(4000, 'fd56:6976:6172::2', 7, 'hello');
  const [four, six] = station.host.datagrams as [FakeDatagrams, FakeDatagrams];
  assert.equal(four.sent[0]?.address, '127.0.0.1');
  assert.equal(six.sent[0]?.address, '::1');
  station.take();
  four.events.message(Buffer.from('back'), '127.0.0.1', 7);
  assert.equal(station.datagram().source, '10.0.2.2');
});

test('UDP: one port of the guest is one socket, whomever it talks to', () => {
  const station = new Station();
  station.sendUdp(4000, '192.0.2.1', 7, 'a');
  station.sendUdp(4000, '192.0.2.2', 8, 'b');
  station.sendUdp(4001, '192.0.2.1', 7, 'c');
  assert.equal(station.host.datagrams.length, 2);
  assert.equal(station.host.datagrams[0]?.sent.length, 2);
});

test('UDP: strangers are not let in', () => {
  const station = new Station();
  station.sendUdp(4000, '192.0.2.1', 7, 'a');
  only(station.host.datagrams).events.message(Buffer.from('x'), '192.0.2.1', 8);
  only(station.host.datagrams).events.message(Buffer.from('x'), '192.0.2.2', 7);
  assert.equal(station.packets().length, 0);
});

test('UDP: a flow that is idle is forgotten, a busy one is not', () => {
  const station = new Station();
  station.sendUdp(4000, '192.0.2.1', 7, 'a');
  const socket = only(station.host.datagrams);
  station.clock.pass(119 * SECOND);
  socket.events.message(Buffer.from('x'), '192.0.2.1', 7);
  station.clock.pass(119 * SECOND);
  assert.equal(socket.isClosed, false);
  station.clock.pass(2 * SECOND);
  assert.equal(socket.isClosed, true);
  assert.equal(station.network.size.udp, 0);
});

test('UDP: what the rules forbid is refused', () => {
  const station = new Station('user,allow=');
  station.sendUdp(4000, '192.0.2.1', 7, 'a');
  const refusal = only(station.packets());
  assert.deepEqual([...refusal.payload.subarray(0, 2)], [3, 13]);
  assert.equal(station.host.datagrams.length, 0);
});

test('UDP: what cannot be is dropped or refused', () => {
  const station = new Station();
  for (const address of [
    '127.0.0.1',
    '224.0.0.251',
    '255.255.255.255',
    '::ffff:7f00:1',
    'ff02::fb',
  ]) {
    station.sendUdp(4000, address, 7, 'a');
  }
  assert.equal(station.packets().length, 0);
  station.sendUdp(4000, '10.0.2.99', 7, 'a'); // nobody else is on the link
  assert.deepEqual([...only(station.packets()).payload.subarray(0, 2)], [3, 1]);
  assert.equal(station.host.datagrams.length, 0);
});

test('UDP: a forwarded port leads into the guest and back', async () => {
  const station = new Station('user', ['5353:53/udp']);
  await station.network.open();
  const socket = only(station.host.bound);
  station.sendUdp(1, '192.0.2.1', 1, ''); // the guest is heard of
  socket.events.message(Buffer.from('query'), '127.0.0.1', 7777);
  const query = station.datagram();
  assert.equal(query.source, '10.0.2.2');
  assert.deepEqual([query.sourcePort, query.destinationPort], [7777, 53]);
  station.sendUdp(53, '10.0.2.2', 7777, 'answer');
  assert.deepEqual(socket.sent, [{ text: 'answer', address: '127.0.0.1', port: 7777 }]);
});

test('UDP: for a guest that was not heard of, a datagram waits until it answers', async () => {
  const station = new Station('user', ['5353:53/udp']);
  await station.network.open();
  only(station.host.bound).events.message(Buffer.from('query'), '127.0.0.1', 7777);
  const request = only(station.take());
  assert.equal(
    Buffer.from(request.subarray(12)).toString('hex').slice(0, 20),
    '08060001080006040001',
  );
  // The ARP reply of the guest.
  station.sendHex(
    '52560a000202525400123456 0806 0001080006040002 5254001234560a00020f 52560a0002020a000202',
  );
  assert.equal(Buffer.from(station.datagram().data).toString(), 'query');
});

test('UDP: long datagrams are cut on their way in and put together on their way out', () => {
  for (const destination of ['192.0.2.1', '2001:db8::1']) {
    const station = new Station();
    station.sendUdp(4000, destination, 7, 'x');
    station.take();
    const data = pattern(9000);
    only(station.host.datagrams).events.message(data, destination, 7);
    const packets = station.packets();
    assert.equal(packets.length, 7);
    const reassembly = new Reassembly(station.clock);
    let whole: Uint8Array | undefined;
    for (const packet of packets.reverse()) {
      assert.ok(packet.whole.length <= 1500 && packet.fragment !== undefined);
      whole ??= reassembly.add(packet, packet.fragment);
    }
    assert.ok(whole !== undefined && Buffer.from(whole.subarray(8)).equals(data));
    expectChecksum({ ...(packets[0] as IpPacket), payload: whole });
    assert.equal(reassembly.length, 0);
  }
});

test('reassembly: overlaps spoil a packet, and memory is bounded', () => {
  const station = new Station();
  const reassembly = new Reassembly(station.clock);
  const add = (id: number, offset: number, bytes: number, more: boolean) =>
    reassembly.add(
      {
        source: 'a',
        destination: 'b',
        protocol: 17,
        payload: pattern(bytes),
      } as unknown as IpPacket,
      { id, offset, more },
    );
  assert.equal(add(1, 0, 16, true), undefined);
  assert.equal(add(1, 8, 16, false), undefined);
  assert.equal(reassembly.length, 0);
  assert.equal(add(2, 0, 12, true), undefined, 'a part in the middle is a multiple of 8');
  assert.equal(add(3, 65_528, 16, false), undefined, 'beyond the longest packet');
  assert.equal(add(4, 8, 8, false), undefined);
  assert.equal(add(4, 0, 8, true)?.length, 16);
  for (let id = 10; id < 10_000; id++) add(id, 0, 1480, true);
  assert.ok(reassembly.length <= 1 << 20);
  station.clock.pass(31 * SECOND);
  add(20_000, 0, 8, true);
  assert.equal(reassembly.length, 8);
});
