/** A guest of the user-mode network, played by hand: frames in, frames out. */
import type { FrameOffload } from '../../bus/mod.ts';
import { PLAIN_FRAME } from '../../bus/mod.ts';
import { addressBytes, familyOf, type IpAddress } from '../address.ts';
import { write16 } from '../bytes.ts';
import { checksum, pseudoHeaderSum } from '../checksum.ts';
import { parseMac } from '../mac.ts';
import { FakeClock, FakeLink } from '../test-kit.fixture.ts';
import {
  ETHERNET_BYTES,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  etherType,
  writeEthernet,
} from '../wire/ethernet.ts';
import { type IpPacket, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ip.ts';
import { IPV4_BYTES, parseIpv4Packet, writeIpv4 } from '../wire/ipv4.ts';
import { IPV6_BYTES, parseIpv6Packet, writeIpv6 } from '../wire/ipv6.ts';
import { parseTcp, type TcpFields, type TcpSegment, writeTcp } from '../wire/tcp.ts';
import { parseUdp, type UdpDatagram, writeUdp } from '../wire/udp.ts';
import { parseNetwork } from './config.ts';
import { FakeHost } from './fake-host.fixture.ts';
import { ROUTER_MAC } from './plan.ts';
import { UserNetwork } from './user-network.ts';

export const GUEST_MAC = parseMac('52:54:00:12:34:56') as Uint8Array;
export const GUEST: IpAddress = '10.0.2.15';
export const GUEST6: IpAddress = 'fd56:6976:6172:0:5054:ff:fe12:3456';

export class Station {
  readonly clock = new FakeClock();
  readonly link = new FakeLink();
  readonly host = new FakeHost();
  readonly network: UserNetwork;

  constructor(net = 'user', forwards: readonly string[] = []) {
    const config = parseNetwork(net, forwards);
    if (config === undefined) throw new Error('a station needs a network');
    const { link, clock, host } = this;
    this.network = new UserNetwork({ link, clock, host, random: () => 0x1234_5678, config });
  }

  /** Sends a frame as it is. */
  send(frame: Uint8Array, offload: FrameOffload = PLAIN_FRAME): void {
    this.network.receive(frame, offload);
    this.network.settled();
  }

  sendHex(hex: string): void {
    this.send(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
  }

  /** Wraps a payload whose checksum, if it has one, goes to `checksumOffset`. */
  sendPacket(
    source: IpAddress,
    destination: IpAddress,
    protocol: number,
    payload: Uint8Array,
    checksumOffset: number,
  ): void {
    const isSix = familyOf(source) === 6;
    const start = ETHERNET_BYTES + (isSix ? IPV6_BYTES : IPV4_BYTES);
    const frame = new Uint8Array(start + payload.length);
    writeEthernet(frame, ROUTER_MAC, GUEST_MAC, isSix ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
    const fields = { source, destination, protocol, payloadBytes: payload.length };
    if (isSix) writeIpv6(frame, ETHERNET_BYTES, { ...fields, hopLimit: 255 });
    else writeIpv4(frame, ETHERNET_BYTES, fields);
    frame.set(payload, start);
    const addresses = [addressBytes(source), addressBytes(destination)] as const;
    const sum =
      protocol === PROTOCOL_ICMP ? 0 : pseudoHeaderSum(...addresses, protocol, payload.length);
    write16(frame, start + checksumOffset, 0);
    write16(frame, start + checksumOffset, checksum(frame, start, frame.length, sum));
    this.send(frame);
  }

  sendUdp(
    sourcePort: number,
    destination: IpAddress,
    destinationPort: number,
    data: Uint8Array | string,
  ): void {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
    const payload = new Uint8Array(8 + bytes.length);
    writeUdp(payload, 0, sourcePort, destinationPort, bytes);
    const source = familyOf(destination) === 6 ? GUEST6 : GUEST;
    this.sendPacket(source, destination, PROTOCOL_UDP, payload, 6);
  }

  sendTcp(destination: IpAddress, fields: Partial<TcpFields>, data = ''): void {
    const bytes = Buffer.from(data, 'latin1');
    const payload = new Uint8Array(60 + bytes.length);
    const headerBytes = writeTcp(payload, 0, {
      sourcePort: 40_000,
      destinationPort: 80,
      sequence: 0,
      acknowledgement: 0,
      flags: 0,
      window: 0xffff,
      ...fields,
    });
    payload.set(bytes, headerBytes);
    const source = familyOf(destination) === 6 ? GUEST6 : GUEST;
    const whole = payload.subarray(0, headerBytes + bytes.length);
    this.sendPacket(source, destination, PROTOCOL_TCP, whole, 16);
  }

  /** Takes the frames that have come since the last call. */
  take(): Uint8Array[] {
    return this.link.sent.splice(0).map(({ frame }) => frame);
  }

  /** Takes the IP packets that have come; every one must be sound. */
  packets(): IpPacket[] {
    return this.take()
      .filter((frame) => etherType(frame) !== 0x0806)
      .map((frame) => {
        const body = frame.subarray(ETHERNET_BYTES);
        const packet =
          etherType(frame) === ETHERTYPE_IPV4 ? parseIpv4Packet(body) : parseIpv6Packet(body);
        if (packet === undefined) throw new Error('a broken packet came');
        return packet;
      });
  }

  /** Takes the only UDP datagram that has come. */
  datagram(): UdpDatagram & { readonly source: IpAddress; readonly destination: IpAddress } {
    const packet = only(this.packets().filter(({ protocol }) => protocol === PROTOCOL_UDP));
    expectChecksum(packet);
    const datagram = parseUdp(packet.payload);
    if (datagram === undefined) throw new Error('a broken datagram came');
    return { ...datagram, source: packet.source, destination: packet.destination };
  }

  /** Takes the TCP segments that have come. */
  segments(): TcpSegment[] {
    return this.packets()
      .filter(({ protocol }) => protocol === PROTOCOL_TCP)
      .map((packet) => {
        expectChecksum(packet);
        const segment = parseTcp(packet.payload);
        if (segment === undefined) throw new Error('a broken segment came');
        return segment;
      });
  }

  segment(): TcpSegment {
    return only(this.segments());
  }
}

export function only<T>(values: readonly T[]): T {
  if (values.length !== 1) throw new Error(`expected one, there are ${values.length}`);
  return values[0] as T;
}

/** Throws unless the checksum over pseudo header and payload is right. */
export function expectChecksum({ source, destination, protocol, payload }: IpPacket): void {
  const sum =
    protocol === PROTOCOL_ICMP
      ? 0
      : pseudoHeaderSum(addressBytes(source), addressBytes(destination), protocol, payload.length);
  if (checksum(payload, 0, payload.length, sum) !== 0) throw new Error('a wrong checksum came');
}
