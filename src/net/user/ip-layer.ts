/**
 * Ethernet, ARP and IP of our end of the link: takes frames apart, puts packets together, knows the stations.
 */

import {
  type FrameOffload,
  GSO_TCP4,
  GSO_TCP6,
  type Link,
  MAX_FRAME_BYTES,
  PLAIN_FRAME,
} from '../../bus/mod.ts';
import { addressBytes, familyOf, type IpAddress, type IpFamily, isUnicast } from '../address.ts';
import { read16, write16, write32 } from '../bytes.ts';
import { addWords, checksum, fold, pseudoHeaderSum } from '../checksum.ts';
import type { NetClock } from '../clock.ts';
import { BROADCAST_MAC, isGroupMac } from '../mac.ts';
import { Reassembly } from '../reassembly.ts';
import { ARP_BYTES, ARP_REPLY, ARP_REQUEST, buildArp, parseArp } from '../wire/arp.ts';
import {
  ETHERNET_BYTES,
  ETHERNET_MTU,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  etherType,
  writeEthernet,
} from '../wire/ethernet.ts';
import { buildUnreachable, ICMP_CHECKSUM_OFFSET, type Unreachable } from '../wire/icmp.ts';
import {
  DEFAULT_TTL,
  type IpPacket,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from '../wire/ip.ts';
import { IPV4_BYTES, parseIpv4Packet, writeIpv4 } from '../wire/ipv4.ts';
import {
  IPV6_BYTES,
  IPV6_FRAGMENT,
  IPV6_FRAGMENT_BYTES,
  parseIpv6Packet,
  writeIpv6,
} from '../wire/ipv6.ts';
import { buildNeighbourSolicitation, solicitedNode } from '../wire/neighbour.ts';
import { Neighbours } from './neighbours.ts';
import { isOurs, PLAN, ROUTER_LINK_LOCAL, ROUTER_MAC } from './plan.ts';

/** A packet to be sent; its payload stands in `IpLayer.scratch` at `payloadOffset(family)`. */
export interface OutgoingPacket {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly bytes: number;
  /** where in the payload the checksum goes; the field is zero now */
  readonly checksumOffset: number;
  readonly hopLimit?: number;
  /** a TCP segment too long for one packet, which the other end cuts */
  readonly segments?: { readonly headerBytes: number; readonly dataBytes: number } | undefined;
}

/** Where packets for a protocol go. */
export type PacketHandler = (packet: IpPacket) => void;

export class IpLayer {
  /** Frames are built here. */
  readonly scratch = new Uint8Array(MAX_FRAME_BYTES + 64);
  readonly neighbours = new Neighbours((address) => this.#askFor(address));
  readonly handlers = new Map<number, PacketHandler>();
  readonly #link: Link;
  readonly #reassembly: Reassembly;
  #fragmentId = 0;

  constructor(link: Link, clock: NetClock) {
    this.#link = link;
    this.#reassembly = new Reassembly(clock);
  }

  /** Where in `scratch` the payload of a packet begins. */
  payloadOffset(family: IpFamily): number {
    return ETHERNET_BYTES + (family === 4 ? IPV4_BYTES : IPV6_BYTES);
  }

  /** Largest payload of a packet that travels whole. */
  maxPayload(family: IpFamily): number {
    return ETHERNET_MTU - (family === 4 ? IPV4_BYTES : IPV6_BYTES);
  }

  /** Forgets all stations and fragments. */
  clear(): void {
    this.neighbours.clear();
    this.#reassembly.clear();
  }

  // Receiving.

  /** Takes a frame from the link. Whatever is wrong with it, it is dropped without a word. */
  receive(frame: Uint8Array, offload: FrameOffload): void {
    if (frame.length < ETHERNET_BYTES) return;
    if (!isGroupMac(frame) && !ROUTER_MAC.every((byte, index) => byte === frame[index])) return;
    const body = frame.subarray(ETHERNET_BYTES);
    switch (etherType(frame)) {
      case ETHERTYPE_ARP:
        this.#receiveArp(body);
        return;
      case ETHERTYPE_IPV4:
        this.#receivePacket(frame, parseIpv4Packet(body), offload);
        return;
      case ETHERTYPE_IPV6:
        this.#receivePacket(frame, parseIpv6Packet(body), offload);
        return;
    }
  }

  #receiveArp(body: Uint8Array): void {
    const packet = parseArp(body);
    if (packet === undefined) return;
    const { senderMac, senderIp, targetIp } = packet;
    if (isOurs(senderIp)) return; // a guest that claims our addresses
    this.neighbours.learn(senderIp, senderMac);
    if (packet.operation !== ARP_REQUEST || !isOurs(targetIp)) return;
    this.#sendArp(senderMac, {
      operation: ARP_REPLY,
      senderMac: ROUTER_MAC,
      senderIp: targetIp,
      targetMac: senderMac,
      targetIp: senderIp,
    });
  }

  #receivePacket(frame: Uint8Array, parsed: IpPacket | undefined, offload: FrameOffload): void {
    if (parsed === undefined || isOurs(parsed.source)) return;
    this.neighbours.learn(parsed.source, frame, 6);
    let packet = parsed;
    if (parsed.fragment !== undefined) {
      const payload = this.#reassembly.add(parsed, parsed.fragment);
      if (payload === undefined) return;
      packet = { ...parsed, payload, fragment: undefined };
    }
    // What shares our memory need not be checked.
    if (offload.checksum === undefined && !isChecksumRight(packet)) return;
    this.handlers.get(packet.protocol)?.(packet);
  }

  // Sending.

  /** Sends the packet in `scratch`. False when the link has no room; TCP then waits, others are lost. */
  send(packet: OutgoingPacket): boolean {
    const { destination, bytes } = packet;
    const family = familyOf(destination);
    const mac = this.neighbours.macOf(destination);
    if (mac === undefined) {
      this.#sendLater(packet, family);
      return true;
    }
    if (bytes > this.maxPayload(family) && packet.segments === undefined) {
      return this.#sendFragments(packet, family, mac);
    }
    const offload = this.#finishTransport(packet, family);
    this.#writeHeader(this.scratch, family, packet, bytes);
    this.#writeLinkHeader(this.scratch, family, mac);
    const end = this.payloadOffset(family) + bytes;
    return this.#link.send(this.scratch.subarray(0, end), offload);
  }

  /** Sends a payload of its own, as `send` does. */
  sendBytes(packet: Omit<OutgoingPacket, 'bytes'>, payload: Uint8Array): boolean {
    this.scratch.set(payload, this.payloadOffset(familyOf(packet.destination)));
    return this.send({ ...packet, bytes: payload.length });
  }

  /** Tells the sender of `packet` that it does not arrive. Errors about errors or groups are not sent. */
  sendUnreachable(packet: IpPacket, reason: Unreachable): void {
    if (!isUnicast(packet.source) || !isUnicast(packet.destination)) return;
    const { family } = packet;
    this.sendBytes(
      {
        source: PLAN[family].gateway,
        destination: packet.source,
        protocol: family === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6,
        checksumOffset: ICMP_CHECKSUM_OFFSET,
      },
      buildUnreachable(packet, reason),
    );
  }

  #sendLater(packet: OutgoingPacket, family: IpFamily): void {
    const start = this.payloadOffset(family);
    const payload = this.scratch.slice(start, start + packet.bytes);
    this.neighbours.whenKnown(packet.destination, () => this.sendBytes(packet, payload));
  }

  /** Completes the checksum of the payload, or leaves that to the other end. */
  #finishTransport(packet: OutgoingPacket, family: IpFamily): FrameOffload {
    const { protocol, bytes, segments } = packet;
    const start = this.payloadOffset(family);
    const sum = pseudoSum(packet, bytes);
    const mayLeave = protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP;
    if (!mayLeave || !this.#link.offloads.checksum) {
      this.#completeChecksum(packet, start, sum);
      return PLAIN_FRAME;
    }
    write16(this.scratch, start + packet.checksumOffset, sum);
    return {
      checksum: { start, offset: packet.checksumOffset },
      gso: segments === undefined ? PLAIN_FRAME.gso : family === 4 ? GSO_TCP4 : GSO_TCP6,
      headerBytes: segments === undefined ? 0 : start + segments.headerBytes,
      segmentBytes: segments?.dataBytes ?? 0,
    };
  }

  #completeChecksum(packet: OutgoingPacket, start: number, sum: number): void {
    const value = checksum(this.scratch, start, start + packet.bytes, sum);
    // UDP: zero would say that there is no checksum.
    const written = value === 0 && packet.protocol === PROTOCOL_UDP ? 0xffff : value;
    write16(this.scratch, start + packet.checksumOffset, written);
  }

  #sendFragments(packet: OutgoingPacket, family: IpFamily, mac: Uint8Array): boolean {
    const start = this.payloadOffset(family);
    this.#completeChecksum(packet, start, pseudoSum(packet, packet.bytes));
    const extra = family === 4 ? 0 : IPV6_FRAGMENT_BYTES;
    const step = (this.maxPayload(family) - extra) & ~7;
    this.#fragmentId = (this.#fragmentId + 1) >>> 0;
    const frame = new Uint8Array(ETHERNET_BYTES + ETHERNET_MTU);
    for (let offset = 0; offset < packet.bytes; offset += step) {
      const count = Math.min(step, packet.bytes - offset);
      const more = offset + count < packet.bytes;
      if (family === 4) {
        const id = this.#fragmentId & 0xffff;
        writeIpv4(frame, ETHERNET_BYTES, {
          ...packet,
          payloadBytes: count,
          id,
          fragment: { offset, more },
        });
      } else {
        this.#writeHeader(frame, 6, { ...packet, protocol: IPV6_FRAGMENT }, extra + count);
        frame[start] = packet.protocol;
        frame[start + 1] = 0;
        write16(frame, start + 2, offset | (more ? 1 : 0));
        write32(frame, start + 4, this.#fragmentId);
      }
      this.#writeLinkHeader(frame, family, mac);
      const data = this.scratch.subarray(start + offset, start + offset + count);
      frame.set(data, start + extra);
      if (!this.#link.send(frame.subarray(0, start + extra + count), PLAIN_FRAME)) return false;
    }
    return true;
  }

  #writeHeader(
    frame: Uint8Array,
    family: IpFamily,
    packet: OutgoingPacket,
    payloadBytes: number,
  ): void {
    const { source, destination, protocol } = packet;
    const fields = { source, destination, protocol, payloadBytes };
    if (family === 4) writeIpv4(frame, ETHERNET_BYTES, fields);
    else {
      const hopLimit = packet.hopLimit ?? DEFAULT_TTL;
      writeIpv6(frame, ETHERNET_BYTES, { ...fields, hopLimit });
    }
  }

  #writeLinkHeader(frame: Uint8Array, family: IpFamily, mac: Uint8Array): void {
    writeEthernet(frame, mac, ROUTER_MAC, family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  }

  #askFor(address: IpAddress): void {
    if (familyOf(address) === 4) {
      this.#sendArp(BROADCAST_MAC, {
        operation: ARP_REQUEST,
        senderMac: ROUTER_MAC,
        senderIp: PLAN[4].gateway,
        targetMac: new Uint8Array(6),
        targetIp: address,
      });
      return;
    }
    // The packet that waits is a copy; this one may use the scratch frame.
    this.sendBytes(
      {
        source: ROUTER_LINK_LOCAL,
        destination: solicitedNode(address).address,
        protocol: PROTOCOL_ICMPV6,
        checksumOffset: ICMP_CHECKSUM_OFFSET,
        hopLimit: 255,
      },
      buildNeighbourSolicitation(address, ROUTER_MAC),
    );
  }

  #sendArp(mac: Uint8Array, packet: Parameters<typeof buildArp>[0]): void {
    const frame = new Uint8Array(ETHERNET_BYTES + ARP_BYTES);
    writeEthernet(frame, mac, ROUTER_MAC, ETHERTYPE_ARP);
    frame.set(buildArp(packet), ETHERNET_BYTES);
    this.#link.send(frame, PLAIN_FRAME);
  }
}

/** The sum that a checksum begins with; ICMP for IPv4 has no pseudo header. */
function pseudoSum(
  packet: Omit<OutgoingPacket, 'bytes' | 'checksumOffset'>,
  bytes: number,
): number {
  if (packet.protocol === PROTOCOL_ICMP) return 0;
  return pseudoHeaderSum(
    addressBytes(packet.source),
    addressBytes(packet.destination),
    packet.protocol,
    bytes,
  );
}

function isChecksumRight(packet: IpPacket): boolean {
  const { protocol, payload, family } = packet;
  if (protocol === PROTOCOL_UDP && family === 4 && read16(payload, 6) === 0) return true;
  const sum = addWords(payload, 0, payload.length, pseudoSum(packet, payload.length));
  return fold(sum) === 0xffff;
}
