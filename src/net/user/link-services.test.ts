/** What our end of the link answers itself. The first frames are those of a Linux 6.1 guest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read16, read32, write16 } from '../bytes.ts';
import { formatMac } from '../mac.ts';
import { parseArp } from '../wire/arp.ts';
import { GUEST, GUEST6, only, Station } from './station.fixture.ts';

const ARP_FOR_GATEWAY =
  'ffffffffffff525400123456 0806 00010800060400015254001234560a00020f0000000000000a000202';
const ECHO_TO_GATEWAY =
  `52560a000202525400123456 0800 4500005496 7d400040018c1b0a00020f0a000202 0800dc130067000089849200` +
  '00'.repeat(53);
const ROUTER_SOLICITATION =
  '333300000002525400123456 86dd 6000000000103afffe80000000000000505400fffe123456ff020000000000000000' +
  '000000000002 850071b5000000000101525400123456';
const dhcp = (checksum: string, options: string, flags = '0000') =>
  `ffffffffffff525400123456 0800 4500014800000000401179a600000000ffffffff 004400430134${checksum}` +
  `0101060070906d780000${flags}${'00'.repeat(16)}525400123456${'00'.repeat(10 + 192)}` +
  `63825363${options}`;
const CLIENT_OPTIONS = '3902024037070103060c0f1c2a3c0c756468637020312e33352e303d0701525400123456ff';
const DISCOVER = dhcp('178b', `350101${CLIENT_OPTIONS}${'00'.repeat(20)}`);
const REQUEST = dhcp('fc0a', `350103 32040a00020f 36040a000202${CLIENT_OPTIONS}${'00'.repeat(8)}`);

test('ARP: the gateway tells its address', () => {
  const station = new Station();
  station.sendHex(ARP_FOR_GATEWAY);
  const frame = only(station.take());
  assert.equal(formatMac(frame), '52:54:00:12:34:56');
  const reply = parseArp(frame.subarray(14));
  assert.equal(reply?.operation, 2);
  assert.equal(reply.senderIp, '10.0.2.2');
  assert.equal(formatMac(reply.senderMac), '52:56:0a:00:02:02');
  assert.equal(reply.targetIp, GUEST);
});

test('ARP: addresses of others are theirs to tell', () => {
  const station = new Station();
  station.sendHex(ARP_FOR_GATEWAY.replace(/0a000202$/, '0a000210'));
  assert.equal(station.take().length, 0);
});

test('ARP: a guest that claims the address of the gateway is not believed', () => {
  const station = new Station();
  station.sendHex(ARP_FOR_GATEWAY.replace('0a00020f', '0a000202'));
  assert.equal(station.take().length, 0);
});

test('ICMP: the gateway echoes', () => {
  const station = new Station();
  station.sendHex(ECHO_TO_GATEWAY);
  const reply = only(station.packets());
  assert.equal(reply.source, '10.0.2.2');
  assert.equal(reply.destination, GUEST);
  assert.equal(read16(reply.payload, 0), 0x0000);
  assert.equal(read16(reply.payload, 2), 0xe413);
  assert.equal(reply.payload.length, 64);
});

test('ICMP: a wrong checksum is not answered', () => {
  const station = new Station();
  station.sendHex(ECHO_TO_GATEWAY.replace('dc13', 'dc14'));
  assert.equal(station.take().length, 0);
});

test('ICMP: others are asked by the host, and their silence is passed on', async () => {
  const station = new Station();
  const ask = () => {
    const echo = new Uint8Array(8 + 56);
    echo[0] = 8;
    station.sendPacket(GUEST, '192.0.2.1', 1, echo, 2);
  };
  ask();
  await settle();
  assert.deepEqual(station.host.echoes, [{ address: '192.0.2.1', bytes: 56 }]);
  assert.equal(only(station.packets()).source, '192.0.2.1');
  station.host.answersEcho = false;
  ask();
  await settle();
  assert.equal(station.packets().length, 0);
});

test('ICMP: an echo request that the rules forbid is refused', () => {
  const station = new Station('user,allow=192.0.2.1:80');
  const echo = new Uint8Array(8);
  echo[0] = 8;
  station.sendPacket(GUEST, '192.0.2.1', 1, echo, 2);
  const refusal = only(station.packets());
  assert.deepEqual([...refusal.payload.subarray(0, 2)], [3, 13]);
  assert.equal(station.host.echoes.length, 0);
});

test('DHCP: discover, offer, request, acknowledgement', () => {
  const station = new Station();
  station.sendHex(DISCOVER);
  const offer = station.datagram();
  assert.equal(offer.sourcePort, 67);
  assert.equal(offer.destinationPort, 68);
  assert.equal(offer.destination, GUEST);
  assert.equal(read32(offer.data, 4), 0x7090_6d78);
  assert.deepEqual([...offer.data.subarray(16, 20)], [10, 0, 2, 15]);
  assert.deepEqual(dhcpOptions(offer.data).get(53), [2]);
  station.sendHex(REQUEST);
  const answer = station.datagram();
  const options = dhcpOptions(answer.data);
  assert.deepEqual(options.get(53), [5]);
  assert.deepEqual(options.get(1), [255, 255, 255, 0]);
  assert.deepEqual(options.get(3), [10, 0, 2, 2]);
  assert.deepEqual(options.get(6), [10, 0, 2, 3]);
  assert.deepEqual(options.get(54), [10, 0, 2, 2]);
  assert.ok(options.has(51));
});

test('DHCP: a client that asks for broadcast gets it', () => {
  const station = new Station();
  station.sendHex(dhcp('978a', `350101${CLIENT_OPTIONS}${'00'.repeat(20)}`, '8000'));
  assert.equal(station.datagram().destination, '255.255.255.255');
});

test('DHCP: an address outside the network is refused', () => {
  const station = new Station();
  station.sendHex(REQUEST.replace('32040a00020f', '3204c0000201').replace('fc0a', '0000'));
  const refusal = station.datagram();
  assert.deepEqual(dhcpOptions(refusal.data).get(53), [6]);
  assert.equal(refusal.destination, '255.255.255.255');
});

test('DHCP: each station has an address of its own, and keeps it', () => {
  const station = new Station();
  const lease = (mac: string) => {
    station.sendHex(DISCOVER.replaceAll('525400123456', mac).replace('178b', '0000'));
    return station.datagram().data[19];
  };
  assert.equal(lease('525400123456'), 15);
  assert.equal(lease('525400123457'), 16);
  assert.equal(lease('525400123456'), 15);
  for (let count = 0; count < 300; count++) {
    const address = lease(`5254000a${(0x1000 + count).toString(16)}`);
    assert.ok(address !== undefined && address >= 15 && address <= 254);
  }
});

test('IPv6: a router advertises prefix, name server and itself', () => {
  const station = new Station();
  station.sendHex(ROUTER_SOLICITATION);
  const packet = only(station.packets());
  assert.equal(packet.source, 'fe80::2');
  assert.equal(packet.destination, 'fe80::5054:ff:fe12:3456');
  assert.equal(packet.ttl, 255);
  assert.equal(packet.payload[0], 134);
  const options = new Map<number, string>();
  for (let at = 16; at < packet.payload.length; ) {
    const length = 8 * (packet.payload[at + 1] as number);
    options.set(
      packet.payload[at] as number,
      Buffer.from(packet.payload.subarray(at + 2, at + length)).toString('hex'),
    );
    at += length;
  }
  assert.equal(options.get(1), '52560a000202');
  assert.match(
    options.get(3) ?? '',
    /^40c0.{16}.{8}fd56697661720000{16}$|^40c0.{24}fd569?6976617200+$/,
  );
  assert.match(options.get(25) ?? '', /fd566976617200000000000000000003$/);
});

test('IPv6: the router reminds the guest of itself before it is forgotten, while there is one', () => {
  const station = new Station();
  station.clock.pass(1e6 * 1e9);
  assert.equal(station.take().length, 0);
  station.sendHex(ROUTER_SOLICITATION);
  station.take();
  station.clock.pass(9000 * 1e9);
  const reminders = station.packets();
  assert.ok(reminders.length >= 2);
  assert.ok(reminders.every(({ destination }) => destination === 'ff02::1'));
  station.network.restarted();
  station.clock.pass(1e6 * 1e9);
  assert.equal(station.take().length, 0);
});

test('IPv6: the gateway is found, and is a neighbour', () => {
  const station = new Station();
  const solicitation = new Uint8Array(32);
  solicitation[0] = 135;
  solicitation.set(Buffer.from('fd566976617200000000000000000002', 'hex'), 8);
  solicitation.set([1, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56], 24);
  station.sendPacket(GUEST6, 'ff02::1:ff00:2', 58, solicitation, 2);
  const advertisement = only(station.packets());
  assert.equal(advertisement.destination, GUEST6);
  assert.equal(advertisement.payload[0], 136);
  assert.equal((advertisement.payload[4] as number) & 0x40, 0x40);
  assert.equal(formatMac(advertisement.payload, 26), '52:56:0a:00:02:02');
});

test('IPv6: the gateway echoes', () => {
  const station = new Station();
  const echo = new Uint8Array(16).fill(7);
  echo[0] = 128;
  echo[1] = 0;
  station.sendPacket(GUEST6, 'fd56:6976:6172::2', 58, echo, 2);
  const reply = only(station.packets());
  assert.equal(reply.payload[0], 129);
  assert.equal(reply.payload[15], 7);
});

test('DNS: the host has a name', () => {
  const station = new Station();
  station.sendUdp(5000, '10.0.2.3', 53, dnsQuery('Host.Vivarium', 1));
  const response = station.datagram();
  assert.equal(response.sourcePort, 53);
  assert.equal(read16(response.data, 0), 0xabcd);
  assert.equal(read16(response.data, 6), 1);
  assert.deepEqual([...response.data.subarray(-4)], [10, 0, 2, 2]);
});

test('DNS: other names are put to the host, its own table first', async () => {
  const station = new Station();
  station.host.names = { 'printer.lan': ['192.0.2.9'], me: ['127.0.1.1'] };
  station.sendUdp(5000, '10.0.2.3', 53, dnsQuery('printer.lan', 1));
  await settle();
  assert.deepEqual([...station.datagram().data.subarray(-4)], [192, 0, 2, 9]);
  station.sendUdp(5000, '10.0.2.3', 53, dnsQuery('me', 1));
  await settle();
  assert.deepEqual([...station.datagram().data.subarray(-4)], [10, 0, 2, 2]);
  station.host.response = (query) => dnsAnswer(query, [192, 0, 2, 10]);
  station.sendUdp(5001, '10.0.2.3', 53, dnsQuery('example.org', 1));
  await settle();
  const response = station.datagram();
  assert.equal(response.destinationPort, 5001);
  assert.deepEqual([...response.data.subarray(-4)], [192, 0, 2, 10]);
  assert.equal(station.host.queries.length, 1);
});

test('DNS: no answer is a failure of the server, and no query is none', async () => {
  const station = new Station();
  station.sendUdp(5000, '10.0.2.3', 53, dnsQuery('example.org', 1));
  await settle();
  assert.equal(read16(station.datagram().data, 2) & 0xf, 2);
  const response = dnsQuery('example.org', 1);
  response[2] = 0x81;
  station.sendUdp(5000, '10.0.2.3', 53, response);
  assert.equal(station.packets().length, 0);
});

test('DNS: with rules, only names that they allow are asked for, and then reached', async () => {
  const station = new Station('user,allow=*.example.org:7');
  station.host.response = (query) => dnsAnswer(query, [192, 0, 2, 10]);
  station.sendUdp(5000, '10.0.2.3', 53, dnsQuery('secret.evil.test', 1));
  assert.equal(read16(station.datagram().data, 2) & 0xf, 5);
  station.sendUdp(6000, '192.0.2.10', 7, 'too early');
  station.sendUdp(5000, '10.0.2.3', 53, dnsQuery('www.example.org', 1));
  await settle();
  station.take();
  assert.equal(station.host.queries.length, 1);
  station.sendUdp(6000, '192.0.2.10', 7, 'now');
  assert.deepEqual(
    station.host.datagrams.flatMap(({ sent }) => sent.map(({ text }) => text)),
    ['now'],
  );
});

/** Promises that were resolved in between. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await null;
}

function dhcpOptions(message: Uint8Array): Map<number, number[]> {
  const options = new Map<number, number[]>();
  for (let at = 240; message[at] !== 255 && at < message.length; ) {
    const length = message[at + 1] as number;
    options.set(message[at] as number, [...message.subarray(at + 2, at + 2 + length)]);
    at += 2 + length;
  }
  return options;
}

function dnsQuery(name: string, type: number): Uint8Array {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Uint8Array.of(0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1);
}

function dnsAnswer(query: Uint8Array, address: number[]): Uint8Array {
  const response = Uint8Array.of(...query, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address);
  write16(response, 2, 0x8180);
  write16(response, 6, 1);
  return response;
}
