/** Hostile frames for the user-mode network: sound ones of every protocol, bent by a seed. */
import type { FrameOffload } from '../../../src/bus/mod.ts';
import { PLAIN_FRAME } from '../../../src/bus/mod.ts';

export type Random = () => number;

/** A whole number below `limit`. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)] as T;
}

const ETHERNET4 = '52560a000202525400123456 0800 ';
const ETHERNET6 = '52560a000202525400123456 86dd ';
const IP4 = (protocol: string, destination: string, bytes: number) =>
  `4500${(bytes + 20).toString(16).padStart(4, '0')}000100004040`.slice(0, 18) +
  `${protocol}00000a00020f${destination}`;
const IP6 = (next: string, destination: string, bytes: number) =>
  `60000000${bytes.toString(16).padStart(4, '0')}${next}ff` +
  `fd56697661720000505400fffe123456${destination}`;
const HOST4 = '0a000202';
const DNS4 = '0a000203';
const FAR4 = 'c0000201';
const HOST6 = 'fd566976617200000000000000000002';
const FAR6 = '20010db8000000000000000000000001';
const SYN = '9c400050000003e80000000070022000000000000204 05b401030307'.replace(' ', '');
const DATA = '9c400050000003e912345679 5018ffff00000000'.replace(' ', '') + '68656c6c6f'.repeat(4);
const QUERY = 'abcd01000001000000000000 04686f73740876697661 7269756d0000010001'.replaceAll(
  ' ',
  '',
);
const DHCP = `0101060012345678${'00'.repeat(20)}525400123456${'00'.repeat(202)}63825363350101ff`;

const udp = (port: string, data: string) =>
  `1388${port}${(8 + data.length / 2).toString(16).padStart(4, '0')}0000${data}`;
const four = (protocol: string, destination: string, body: string) =>
  ETHERNET4 + IP4(protocol, destination, body.length / 2) + body;
const six = (next: string, destination: string, body: string) =>
  ETHERNET6 + IP6(next, destination, body.length / 2) + body;

const templates: readonly Uint8Array[] = [
  'ffffffffffff525400123456 0806 00010800060400015254001234560a00020f0000000000000a000202',
  four('01', HOST4, '0800000000010001'.padEnd(128, '0')),
  four('01', FAR4, '0800000000010001'.padEnd(128, '0')),
  four('06', HOST4, SYN),
  four('06', FAR4, SYN),
  four('06', FAR4, DATA),
  four('11', DNS4, udp('0035', QUERY)),
  four('11', FAR4, udp('0007', '68656c6c6f')),
  four('11', 'ffffffff', udp('0043', DHCP)),
  six('3a', HOST6, '8000000000010001'.padEnd(128, '0')),
  six('3a', 'ff020000000000000000000000000002', '8500000000000000'),
  six('3a', 'ff0200000000000000000001ff000002', `8700000000000000${HOST6}0101525400123456`),
  six('06', FAR6, SYN),
  six('06', FAR6, DATA),
  six('11', FAR6, udp('0007', '68656c6c6f')),
  six('00', FAR6, `3a00050200000000${'8000000000010001'}`),
  six('2c', FAR6, `1100000100000001${udp('0007', '68656c6c6f')}`),
].map((hex) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')));

const INTERESTING = [0, 1, 4, 5, 6, 7, 8, 0x10, 0x11, 0x2c, 0x3a, 0x40, 0x7f, 0x80, 0xc0, 0xff];

/** A frame, and whether its checksum counts. Most are sound but for a few bytes. */
export function hostileFrame(random: Random): { frame: Uint8Array; offload: FrameOffload } {
  let frame = Uint8Array.from(pick(random, templates));
  // Ports and flags vary, so that many connections exist at once.
  if (random() < 0.5) setPorts(random, frame);
  for (let count = below(random, 5); count > 0; count--) bend(random, frame);
  const cut = random();
  if (cut < 0.1) frame = frame.slice(0, below(random, frame.length + 1));
  else if (cut < 0.2) {
    const longer = new Uint8Array(frame.length + below(random, 2000));
    longer.set(frame);
    frame = longer;
  }
  if (random() < 0.02)
    frame = Uint8Array.from({ length: below(random, 3000) }, () => below(random, 256));
  fixIpv4(random, frame);
  // A checksum that is left undone is not looked at: what lies behind it is reached.
  const offload =
    random() < 0.9
      ? {
          checksum: { start: below(random, 100), offset: below(random, 100) },
          gso: pick(random, [0, 1, 4] as const),
          headerBytes: below(random, 0x1_0000),
          segmentBytes: below(random, 0x1_0000),
        }
      : PLAIN_FRAME;
  return { frame, offload };
}

/** Where the transport header of a frame without options begins. */
function transportOf(frame: Uint8Array): number {
  return frame[12] === 0x08 ? 34 : 54;
}

function setPorts(random: Random, frame: Uint8Array): void {
  const at = transportOf(frame);
  if (at + 20 > frame.length) return;
  frame[at + 1] = below(random, 16);
  frame[at + 13] = pick(random, [0x02, 0x10, 0x11, 0x12, 0x14, 0x18, 0x04, below(random, 256)]);
  if (random() < 0.5) frame[at + 7] = below(random, 256);
  if (random() < 0.5) frame[at + 11] = below(random, 256);
}

function bend(random: Random, frame: Uint8Array): void {
  const at = below(random, frame.length);
  const how = random();
  if (how < 0.4) frame[at] = (frame[at] as number) ^ (1 << below(random, 8));
  else if (how < 0.8) frame[at] = pick(random, INTERESTING);
  else frame[at] = below(random, 256);
}

/** Most frames get a right header checksum and length, or they would all end there. */
function fixIpv4(random: Random, frame: Uint8Array): void {
  if (frame.length < 34 || frame[12] !== 0x08 || frame[13] !== 0 || random() < 0.1) return;
  const bytes = frame.length - 14;
  if (random() < 0.8) frame.set([bytes >> 8, bytes & 0xff], 16);
  frame.set([0, 0], 24);
  const headerBytes = 4 * ((frame[14] as number) & 0xf);
  let sum = 0;
  for (let at = 14; at < 14 + headerBytes; at += 2) {
    sum += ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  frame.set([(~sum >> 8) & 0xff, ~sum & 0xff], 24);
}
