/**
 * TCP segments. RFC 9293 section 3.1; window scale RFC 7323, selective acknowledgement RFC 2018.
 *
 * ```
 *  0 source port   2 destination port   4 sequence   8 acknowledgement
 * 12 header words  13 flags             14 window   16 checksum   18 urgent pointer   20 options
 * ```
 * Left out: timestamps (never offered), urgent data (delivered in line), ECN.
 */
import { read16, read32, write16, write32 } from '../bytes.ts';

export const TCP_BYTES = 20;
export const TCP_CHECKSUM_OFFSET = 16;
/** Options that a segment of ours carries at most: three blocks of SACK, or those of a SYN. */
export const TCP_MAX_OPTION_BYTES = 28;

export const TCP_FIN = 1 << 0;
export const TCP_SYN = 1 << 1;
export const TCP_RST = 1 << 2;
export const TCP_PSH = 1 << 3;
export const TCP_ACK = 1 << 4;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
const OPTION_SACK_PERMITTED = 4;
const OPTION_SACK = 5;

/** The largest shift that RFC 7323 section 2.3 allows. */
const MAX_WINDOW_SCALE = 14;

export interface TcpOptions {
  readonly mss?: number | undefined;
  readonly windowScale?: number | undefined;
  readonly sackPermitted?: boolean | undefined;
  /** pairs of sequence numbers: first and one past the last */
  readonly sack?: readonly (readonly [from: number, to: number])[] | undefined;
}

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  /** as written: not scaled */
  readonly window: number;
  readonly options: TcpOptions;
  readonly data: Uint8Array;
}

const noOptions: TcpOptions = {};

/** Undefined when the header does not fit. */
export function parseTcp(bytes: Uint8Array): TcpSegment | undefined {
  const headerBytes = ((bytes[12] ?? 0) >> 4) * 4;
  if (headerBytes < TCP_BYTES || headerBytes > bytes.length) return undefined;
  return {
    sourcePort: read16(bytes, 0),
    destinationPort: read16(bytes, 2),
    sequence: read32(bytes, 4),
    acknowledgement: read32(bytes, 8),
    flags: bytes[13] as number,
    window: read16(bytes, 14),
    options: headerBytes === TCP_BYTES ? noOptions : parseOptions(bytes, TCP_BYTES, headerBytes),
    data: bytes.subarray(headerBytes),
  };
}

/** Malformed options end the list; what came before counts. */
function parseOptions(bytes: Uint8Array, from: number, to: number): TcpOptions {
  let mss: number | undefined;
  let windowScale: number | undefined;
  let sackPermitted = false;
  const sack: [number, number][] = [];
  for (let at = from; at < to; ) {
    const kind = bytes[at] as number;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > to) break;
    if (kind === OPTION_MSS && length === 4) mss = read16(bytes, at + 2);
    if (kind === OPTION_WINDOW_SCALE && length === 3) {
      windowScale = Math.min(bytes[at + 2] as number, MAX_WINDOW_SCALE);
    }
    if (kind === OPTION_SACK_PERMITTED && length === 2) sackPermitted = true;
    if (kind === OPTION_SACK) {
      for (let block = at + 2; block + 8 <= at + length; block += 8) {
        sack.push([read32(bytes, block), read32(bytes, block + 4)]);
      }
    }
    at += length;
  }
  return { mss, windowScale, sackPermitted, sack };
}

export interface TcpFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly options?: TcpOptions | undefined;
}

/** Writes a header at `offset`, checksum zero; returns its length. */
export function writeTcp(bytes: Uint8Array, offset: number, fields: TcpFields): number {
  write16(bytes, offset, fields.sourcePort);
  write16(bytes, offset + 2, fields.destinationPort);
  write32(bytes, offset + 4, fields.sequence);
  write32(bytes, offset + 8, fields.acknowledgement);
  bytes[offset + 13] = fields.flags;
  write16(bytes, offset + 14, fields.window);
  write32(bytes, offset + 16, 0);
  const { options } = fields;
  const length =
    options === undefined ? TCP_BYTES : writeOptions(bytes, offset + TCP_BYTES, options) - offset;
  bytes[offset + 12] = (length / 4) << 4;
  return length;
}

/** Each option is padded in front so that the header stays in words of four bytes. */
function writeOptions(bytes: Uint8Array, offset: number, options: TcpOptions): number {
  let at = offset;
  const put = (...values: number[]) => {
    bytes.set(values, at);
    at += values.length;
  };
  if (options.mss !== undefined) {
    put(OPTION_MSS, 4, options.mss >> 8, options.mss & 0xff);
  }
  if (options.windowScale !== undefined) {
    put(OPTION_NOP, OPTION_WINDOW_SCALE, 3, options.windowScale);
  }
  if (options.sackPermitted) put(OPTION_NOP, OPTION_NOP, OPTION_SACK_PERMITTED, 2);
  if (options.sack !== undefined && options.sack.length > 0) {
    put(OPTION_NOP, OPTION_NOP, OPTION_SACK, 2 + 8 * options.sack.length);
    for (const [from, to] of options.sack) {
      write32(bytes, at, from);
      write32(bytes, at + 4, to);
      at += 8;
    }
  }
  return at;
}
