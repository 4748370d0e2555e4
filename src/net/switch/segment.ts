/**
 * Does what the sender of a frame left undone, for a receiver that does not want to: checksums, and the cutting of
 * long TCP segments (VIRTIO 1.2 section 5.1.6.2; RFC 9293 section 3.1, RFC 791, RFC 8200).
 */
import { type FrameOffload, GSO_NONE, GSO_TCP4, type LinkOffloads } from '../../bus/mod.ts';
import { read16, read32, write16, write32 } from '../bytes.ts';
import { checksum, pseudoHeaderSum } from '../checksum.ts';
import { completeChecksum } from '../pcap.ts';
import { ETHERNET_BYTES, ETHERTYPE_IPV4, ETHERTYPE_IPV6, etherType } from '../wire/ethernet.ts';
import { PROTOCOL_TCP } from '../wire/ip.ts';
import { IPV4_BYTES } from '../wire/ipv4.ts';
import { IPV6_BYTES } from '../wire/ipv6.ts';
import { TCP_BYTES, TCP_CHECKSUM_OFFSET, TCP_FIN, TCP_PSH } from '../wire/tcp.ts';

const TCP_SEQUENCE = 4;
const TCP_HEADER_WORDS = 12;
const TCP_FLAGS = 13;
const TCP_CWR = 1 << 7;
const IPV4_TOTAL_LENGTH = 2;
const IPV4_ID = 4;
const IPV4_CHECKSUM = 10;
const IPV6_PAYLOAD_LENGTH = 4;

/** True when a receiver that accepts `accepts` takes the frame as it is. */
export function isAcceptable(offload: FrameOffload, accepts: LinkOffloads): boolean {
  if (offload.checksum === undefined) return offload.gso === GSO_NONE;
  if (!accepts.checksum) return false;
  if (offload.gso === GSO_NONE) return true;
  return offload.gso === GSO_TCP4 ? accepts.tcp4 : accepts.tcp6;
}

/** Frames with nothing left undone, in place of one with something; none when its headers make no sense. */
export function finishFrame(frame: Uint8Array, offload: FrameOffload): Uint8Array[] {
  if (offload.gso !== GSO_NONE) return cutSegments(frame, offload);
  const whole = frame.slice();
  completeChecksum(whole, offload);
  return [whole];
}

function cutSegments(frame: Uint8Array, offload: FrameOffload): Uint8Array[] {
  const isIpv4 = offload.gso === GSO_TCP4;
  const tcp = offload.checksum?.start ?? 0;
  const ip = ETHERNET_BYTES;
  if (etherType(frame) !== (isIpv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6)) return [];
  const ipBytes = isIpv4 ? ((frame[ip] ?? 0) & 0xf) * 4 : tcp - ip;
  const headerBytes = tcp + ((frame[tcp + TCP_HEADER_WORDS] ?? 0) >> 4) * 4;
  const isWhole =
    ipBytes >= (isIpv4 ? IPV4_BYTES : IPV6_BYTES) &&
    ip + ipBytes === tcp &&
    headerBytes >= tcp + TCP_BYTES &&
    headerBytes <= frame.length &&
    offload.segmentBytes > 0;
  if (!isWhole) return [];
  const segments: Uint8Array[] = [];
  for (let from = headerBytes; from < frame.length; from += offload.segmentBytes) {
    const to = Math.min(frame.length, from + offload.segmentBytes);
    const segment = new Uint8Array(headerBytes + to - from);
    segment.set(frame.subarray(0, headerBytes));
    segment.set(frame.subarray(from, to), headerBytes);
    write32(segment, tcp + TCP_SEQUENCE, read32(frame, tcp + TCP_SEQUENCE) + from - headerBytes);
    const flags = frame[tcp + TCP_FLAGS] as number;
    const early = to < frame.length ? TCP_FIN | TCP_PSH : 0;
    const late = from > headerBytes ? TCP_CWR : 0;
    segment[tcp + TCP_FLAGS] = flags & ~early & ~late;
    finishHeaders(segment, tcp, isIpv4, segments.length);
    segments.push(segment);
  }
  return segments;
}

/** Lengths and checksums of the `index`th segment. */
function finishHeaders(segment: Uint8Array, tcp: number, isIpv4: boolean, index: number): void {
  const ip = ETHERNET_BYTES;
  const [addresses, bytes] = isIpv4 ? [ip + 12, 4] : [ip + 8, 16];
  if (isIpv4) {
    write16(segment, ip + IPV4_TOTAL_LENGTH, segment.length - ip);
    write16(segment, ip + IPV4_ID, (read16(segment, ip + IPV4_ID) + index) & 0xffff);
    write16(segment, ip + IPV4_CHECKSUM, 0);
    write16(segment, ip + IPV4_CHECKSUM, checksum(segment, ip, tcp));
  } else write16(segment, ip + IPV6_PAYLOAD_LENGTH, segment.length - ip - IPV6_BYTES);
  const pseudo = pseudoHeaderSum(
    segment.subarray(addresses, addresses + bytes),
    segment.subarray(addresses + bytes, addresses + 2 * bytes),
    PROTOCOL_TCP,
    segment.length - tcp,
  );
  write16(segment, tcp + TCP_CHECKSUM_OFFSET, 0);
  write16(segment, tcp + TCP_CHECKSUM_OFFSET, checksum(segment, tcp, segment.length, pseudo));
}
