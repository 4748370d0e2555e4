/**
 * The user-mode network under hostile frames and unsteady sockets. What must hold: no exception; every frame that comes
 * out is sound; what is kept in memory has a bound.
 */
import assert from 'node:assert/strict';
import { seededRandom } from '../../../src/net/test-kit.fixture.ts';
import { Station } from '../../../src/net/user/station.fixture.ts';
import { ETHERNET_BYTES, etherType } from '../../../src/net/wire/ethernet.ts';
import { parseIpv4Packet } from '../../../src/net/wire/ipv4.ts';
import { parseIpv6Packet } from '../../../src/net/wire/ipv6.ts';
import { below, hostileFrame, pick, type Random } from './frames.ts';

const FRAMES_A_ROUND = 5000;

/** One life of a network, which `seed` determines. Rejects when it does what it must not. Returns the frames sent. */
export async function round(seed: number): Promise<number> {
  const random = seededRandom(seed);
  for (let warm = 0; warm < 10; warm++) random();
  const net = pick(random, ['user', 'user', 'user,allow=', 'user,allow=192.0.2.0/24,allow=host']);
  const station = new Station(net, ['8080:80', '5353:53/udp']);
  await station.network.open();
  for (let count = 0; count < FRAMES_A_ROUND; count++) {
    const { frame, offload } = hostileFrame(random);
    station.network.receive(frame, offload);
    if (random() < 0.3) station.network.settled();
    if (random() < 0.2) disturb(random, station);
    if (random() < 0.05) await null;
    checkFrames(station);
  }
  const { tcp, udp } = station.network.size;
  assert.ok(tcp <= 16_384 && udp <= 4096, `${tcp} connections and ${udp} flows`);
  station.network.close();
  assert.deepEqual(station.network.size, { tcp: 0, udp: 0 });
  station.clock.pass(300e9);
  return FRAMES_A_ROUND;
}

/** Something happens on the host. */
function disturb(random: Random, station: Station): void {
  const { host, clock, link, network } = station;
  const stream = host.streams[below(random, host.streams.length || 1)];
  const socket = host.datagrams[below(random, host.datagrams.length || 1)];
  switch (below(random, 12)) {
    case 0:
      clock.pass(random() * 2e9);
      break;
    case 1:
      if (!stream?.isReset) stream?.events.connected();
      break;
    case 2:
      if (!stream?.isReset) stream?.events.data(new Uint8Array(below(random, 70_000)));
      break;
    case 3:
      if (!stream?.isReset) stream?.events.ended();
      break;
    case 4:
      if (stream !== undefined && !stream.isReset) {
        stream.isReset = true;
        stream.events.closed(
          pick(random, ['refused', 'unreachable', 'timeout', 'reset', undefined]),
        );
      }
      break;
    case 5:
      if (stream !== undefined) {
        stream.backlog = below(random, 500_000);
        if (!stream.isReset) stream.events.drained();
      }
      break;
    case 6: {
      const to = socket?.sent.at(-1);
      if (to !== undefined && !socket?.isClosed) {
        socket?.events.message(new Uint8Array(below(random, 66_000)), to.address, to.port);
      }
      break;
    }
    case 7:
      link.hasRoom = !link.hasRoom;
      if (link.hasRoom) network.ready();
      break;
    case 8:
      link.offloads =
        random() < 0.5
          ? { checksum: true, tcp4: true, tcp6: true }
          : { checksum: false, tcp4: false, tcp6: false };
      break;
    case 9:
      host.client(8080);
      break;
    case 10:
      host.bound[0]?.events.message(new Uint8Array(20), '127.0.0.1', 1 + below(random, 5000));
      break;
    case 11:
      if (random() < 0.02) {
        network.restarted();
        host.streams.length = 0;
        host.datagrams.length = 0;
      }
      break;
  }
}

function checkFrames({ link }: Station): void {
  for (const { frame, offload } of link.sent.splice(0)) {
    assert.ok(frame.length >= ETHERNET_BYTES && frame.length <= 65_549);
    assert.ok(offload.gso !== 0 || frame.length <= 1514, `${frame.length} bytes in one frame`);
    if (etherType(frame) === 0x0806) continue;
    const body = frame.subarray(ETHERNET_BYTES);
    const packet = etherType(frame) === 0x0800 ? parseIpv4Packet(body) : parseIpv6Packet(body);
    assert.ok(packet !== undefined, 'a packet of ours is broken');
  }
}
