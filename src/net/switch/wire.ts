/**
 * What the ports of a switch say to each other over a stream of bytes, little-endian.
 *
 * ```
 * hello   0 length of what follows, 12   4 "VIVSW" and version   c id of the port
 * frame   0 length of what follows       4 gso   5 1 if a checksum is due   8 its start   a its offset
 *         c header bytes   e segment bytes   10 frame
 * ```
 * The hello comes first and once. A stream that says anything else is not believed any further.
 */
import {
  type FrameOffload,
  GSO_NONE,
  GSO_TCP4,
  GSO_TCP6,
  type GsoKind,
  MAX_FRAME_BYTES,
  PLAIN_FRAME,
} from '../../bus/mod.ts';
import { concat } from '../bytes.ts';
import { ETHERNET_BYTES } from '../wire/ethernet.ts';

const GREETING = new TextEncoder().encode('VIVSW\0\0\x01');
export const PORT_ID_BYTES = 8;
const LENGTH_BYTES = 4;
const OFFLOAD_BYTES = 12;
const CHECKSUM_DUE = 1;

/** The first message of a port. `id` is `PORT_ID_BYTES` long, as hexadecimal digits. */
export function helloMessage(id: string): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(LENGTH_BYTES + GREETING.length + PORT_ID_BYTES);
  new DataView(message.buffer).setUint32(0, message.length - LENGTH_BYTES, true);
  message.set(GREETING, LENGTH_BYTES);
  message.set(
    Uint8Array.from(id.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16)),
    12,
  );
  return message;
}

/** A frame as a message. */
export function frameMessage(frame: Uint8Array, offload: FrameOffload): Uint8Array<ArrayBuffer> {
  const start = LENGTH_BYTES + OFFLOAD_BYTES;
  const message = new Uint8Array(start + frame.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length - LENGTH_BYTES, true);
  view.setUint8(4, offload.gso);
  if (offload.checksum !== undefined) {
    view.setUint8(5, CHECKSUM_DUE);
    view.setUint16(8, offload.checksum.start, true);
    view.setUint16(10, offload.checksum.offset, true);
  }
  view.setUint16(12, offload.headerBytes, true);
  view.setUint16(14, offload.segmentBytes, true);
  message.set(frame, start);
  return message;
}

export interface MessageReceiver {
  hello(id: string): void;
  /** The bytes are lent for the time of the call. */
  frame(frame: Uint8Array, offload: FrameOffload): void;
}

/** Takes a stream of messages apart. */
export class MessageReader {
  readonly #receiver: MessageReceiver;
  #rest = new Uint8Array(0);
  #isGreeted = false;

  constructor(receiver: MessageReceiver) {
    this.#receiver = receiver;
  }

  /** Takes the next bytes of the stream. False when they are no messages: nothing more may be read. */
  push(bytes: Uint8Array): boolean {
    let input = this.#rest.length === 0 ? bytes : concat(this.#rest, bytes);
    for (;;) {
      if (input.length < LENGTH_BYTES) break;
      const length = new DataView(input.buffer, input.byteOffset).getUint32(0, true);
      if (length > OFFLOAD_BYTES + MAX_FRAME_BYTES) return false;
      if (input.length < LENGTH_BYTES + length) break;
      const body = input.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
      input = input.subarray(LENGTH_BYTES + length);
      if (!(this.#isGreeted ? this.#takeFrame(body) : this.#takeHello(body))) return false;
    }
    this.#rest = input.slice();
    return true;
  }

  #takeHello(body: Uint8Array): boolean {
    if (body.length !== GREETING.length + PORT_ID_BYTES) return false;
    if (!GREETING.every((byte, index) => byte === body[index])) return false;
    this.#isGreeted = true;
    const id = body.subarray(GREETING.length);
    this.#receiver.hello(Array.from(id, (byte) => byte.toString(16).padStart(2, '0')).join(''));
    return true;
  }

  #takeFrame(body: Uint8Array): boolean {
    if (body.length < OFFLOAD_BYTES + ETHERNET_BYTES) return false;
    const offload = readOffload(new DataView(body.buffer, body.byteOffset), body.length);
    if (offload === undefined) return false;
    this.#receiver.frame(body.subarray(OFFLOAD_BYTES), offload);
    return true;
  }
}

function readOffload(view: DataView, length: number): FrameOffload | undefined {
  const gso = view.getUint8(0);
  if (view.getUint8(1) !== CHECKSUM_DUE) return gso === GSO_NONE ? PLAIN_FRAME : undefined;
  const checksum = { start: view.getUint16(4, true), offset: view.getUint16(6, true) };
  if (checksum.start + checksum.offset + 2 > length - OFFLOAD_BYTES) return undefined;
  if (gso !== GSO_NONE && gso !== GSO_TCP4 && gso !== GSO_TCP6) return undefined;
  const headerBytes = view.getUint16(8, true);
  const segmentBytes = view.getUint16(10, true);
  if (gso !== GSO_NONE && segmentBytes === 0) return undefined;
  return { checksum, gso: gso as GsoKind, headerBytes, segmentBytes };
}
