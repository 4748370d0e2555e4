/**
 * DNS messages: as much as a proxy needs. RFC 1035 section 4.
 *
 * ```
 *  0 id   2 flags   4 questions   6 answers   8 authorities   10 additional   12 sections
 * ```
 */
import { addressBytes, formatAddress, type IpAddress } from '../address.ts';
import { concat, read16, read32, write16, write32 } from '../bytes.ts';

export const DNS_PORT = 53;
export const DNS_HEADER_BYTES = 12;

export const DNS_TYPE_A = 1;
export const DNS_TYPE_AAAA = 28;
const CLASS_INTERNET = 1;

const FLAG_RESPONSE = 0x8000;
const FLAG_AUTHORITATIVE = 0x0400;
export const DNS_FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;

export const DNS_SERVER_FAILURE = 2;
export const DNS_NAME_ERROR = 3;
export const DNS_REFUSED = 5;

const MAX_NAME = 255;

export interface DnsQuestion {
  readonly id: number;
  /** lower case, without the last dot */
  readonly name: string;
  readonly type: number;
  /** one past the question in the message */
  readonly end: number;
}

/** The question of a standard query with one question; undefined for everything else. */
export function parseQuestion(message: Uint8Array): DnsQuestion | undefined {
  if (message.length < DNS_HEADER_BYTES) return undefined;
  if (read16(message, 2) & (FLAG_RESPONSE | OPCODE_MASK)) return undefined;
  return firstQuestion(message);
}

function firstQuestion(message: Uint8Array): DnsQuestion | undefined {
  if (read16(message, 4) !== 1) return undefined;
  const name = readName(message, DNS_HEADER_BYTES);
  if (name === undefined || name.end + 4 > message.length) return undefined;
  return {
    id: read16(message, 0),
    name: name.text,
    type: read16(message, name.end),
    end: name.end + 4,
  };
}

/** Reads a name at `offset`, which may continue elsewhere. RFC 1035 section 4.1.4. */
function readName(message: Uint8Array, offset: number): { text: string; end: number } | undefined {
  const labels: string[] = [];
  let at = offset;
  let end: number | undefined;
  let length = 0;
  for (;;) {
    const size = message[at];
    if (size === undefined) return undefined;
    if (size >= 0xc0) {
      const target = ((size & 0x3f) << 8) | (message[at + 1] ?? 0);
      end ??= at + 2;
      if (target >= at) return undefined; // names point back, so this ends
      at = target;
      continue;
    }
    if (size > 63 || at + 1 + size > message.length) return undefined;
    if (size === 0) break;
    length += size + 1;
    if (length > MAX_NAME) return undefined;
    labels.push(String.fromCharCode(...message.subarray(at + 1, at + 1 + size)).toLowerCase());
    at += 1 + size;
  }
  return { text: labels.join('.'), end: end ?? at + 1 };
}

export interface DnsAddress {
  readonly address: IpAddress;
  readonly seconds: number;
}

/** The addresses among the answers of a response. */
export function parseAddresses(message: Uint8Array): DnsAddress[] {
  const question = firstQuestion(message);
  const addresses: DnsAddress[] = [];
  if (question === undefined) return addresses;
  let at = question.end;
  for (let count = read16(message, 6); count > 0; count--) {
    const name = readName(message, at);
    if (name === undefined || name.end + 10 > message.length) break;
    const type = read16(message, name.end);
    const seconds = read32(message, name.end + 4);
    const data = name.end + 10;
    const length = read16(message, name.end + 8);
    if (data + length > message.length) break;
    if (type === DNS_TYPE_A && length === 4) {
      addresses.push({ address: formatAddress(message, data, 4), seconds });
    }
    if (type === DNS_TYPE_AAAA && length === 16) {
      addresses.push({ address: formatAddress(message, data, 6), seconds });
    }
    at = data + length;
  }
  return addresses;
}

/** A response without answers that says why. */
export function buildFailure(
  query: Uint8Array,
  end: number,
  code: number,
): Uint8Array<ArrayBuffer> {
  return respond(query, end, code, 0);
}

/** A response of our own: the addresses of the name that `query` asks for. */
export function buildAddresses(
  query: Uint8Array,
  question: DnsQuestion,
  addresses: readonly IpAddress[],
  seconds: number,
): Uint8Array<ArrayBuffer> {
  const answers = addresses.map((address) => {
    const data = addressBytes(address);
    const answer = new Uint8Array(12 + data.length);
    write16(answer, 0, 0xc000 | DNS_HEADER_BYTES); // the name of the question
    write16(answer, 2, data.length === 4 ? DNS_TYPE_A : DNS_TYPE_AAAA);
    write16(answer, 4, CLASS_INTERNET);
    write32(answer, 6, seconds);
    write16(answer, 10, data.length);
    answer.set(data, 12);
    return answer;
  });
  return concat(respond(query, question.end, FLAG_AUTHORITATIVE, addresses.length), ...answers);
}

/** Header and question of a response; `flags` go beside those that every response has. */
function respond(
  query: Uint8Array,
  end: number,
  flags: number,
  answers: number,
): Uint8Array<ArrayBuffer> {
  const response = query.slice(0, end);
  const kept = read16(query, 2) & (OPCODE_MASK | FLAG_RECURSION_DESIRED);
  write16(response, 2, FLAG_RESPONSE | kept | FLAG_RECURSION_AVAILABLE | flags);
  write16(response, 4, end > DNS_HEADER_BYTES ? 1 : 0);
  write16(response, 6, answers);
  write32(response, 8, 0);
  return response;
}
