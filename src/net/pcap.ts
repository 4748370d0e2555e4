/**
 * Packet captures in the classic format that tcpdump and Wireshark read: draft-ietf-opsawg-pcap.
 *
 * ```
 * file    0 magic a1b23c4d (nanoseconds)  4 version 2.4  8 zone  12 accuracy  16 longest packet  20 link type
 * packet  0 seconds  4 nanoseconds  8 bytes kept  12 bytes on the wire
 * ```
 */

import {
  type FrameOffload,
  type Link,
  type LinkOffloads,
  type LinkReceiver,
  MAX_FRAME_BYTES,
} from '../bus/mod.ts';
import { write16 } from './bytes.ts';
import { checksum } from './checksum.ts';

const MAGIC_NANOSECONDS = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET = 1;
const FILE_HEADER_BYTES = 24;
const PACKET_HEADER_BYTES = 16;

/** The beginning of a capture file. */
export function pcapHeader(): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(FILE_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC_NANOSECONDS, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, MAX_FRAME_BYTES, true);
  view.setUint32(20, LINKTYPE_ETHERNET, true);
  return header;
}

/** A frame as a packet of a capture file, its checksum completed. `epochNanoseconds` is since 1970. */
export function pcapPacket(
  frame: Uint8Array,
  offload: FrameOffload,
  epochNanoseconds: number,
): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(PACKET_HEADER_BYTES + frame.length);
  const view = new DataView(packet.buffer);
  view.setUint32(0, Math.floor(epochNanoseconds / 1e9), true);
  view.setUint32(4, Math.floor(epochNanoseconds % 1e9), true);
  view.setUint32(8, frame.length, true);
  view.setUint32(12, frame.length, true);
  const body = packet.subarray(PACKET_HEADER_BYTES);
  body.set(frame);
  completeChecksum(body, offload);
  return packet;
}

/** Does what the sender of a frame left to its receiver. */
export function completeChecksum(frame: Uint8Array, offload: FrameOffload): void {
  if (offload.checksum === undefined) return;
  const { start, offset } = offload.checksum;
  if (start + offset + 2 > frame.length) return;
  // The sum of the pseudo header stands in the field already.
  write16(frame, start + offset, checksum(frame, start, frame.length));
}

/** A link that shows every frame in both directions to `record`; for receivers that take every frame. */
export class CapturedLink implements Link {
  readonly #link: Link;
  readonly #record: (frame: Uint8Array, offload: FrameOffload) => void;

  constructor(link: Link, record: (frame: Uint8Array, offload: FrameOffload) => void) {
    this.#link = link;
    this.#record = record;
  }

  get offloads(): LinkOffloads {
    return this.#link.offloads;
  }

  get isDrained(): boolean {
    return this.#link.isDrained;
  }

  connect(receiver: LinkReceiver): void {
    this.#link.connect({
      receive: (frame, offload) => {
        this.#record(frame, offload); // before the answers to it
        return receiver.receive(frame, offload);
      },
      settled: () => receiver.settled(),
      ready: () => receiver.ready(),
      restarted: () => receiver.restarted(),
    });
  }

  accept(offloads: LinkOffloads): void {
    this.#link.accept(offloads);
  }

  restart(): void {
    this.#link.restart();
  }

  send(frame: Uint8Array, offload: FrameOffload): boolean {
    const isSent = this.#link.send(frame, offload);
    if (isSent) this.#record(frame, offload);
    return isSent;
  }

  poll(): boolean {
    return this.#link.poll();
  }
}
