/**
 * Internet addresses. The canonical text is the one representation outside of packets: `10.0.2.15`, and for
 * IPv6 the form of RFC 5952 (`fd76::2`), so that two equal addresses are two equal strings.
 */

/** An IPv4 or IPv6 address as canonical text. */
export type IpAddress = string;

export type IpFamily = 4 | 6;

export function familyOf(address: IpAddress): IpFamily {
  return address.includes(':') ? 6 : 4;
}

/** The address in the 4 or 16 bytes at `offset`. */
export function formatAddress(bytes: Uint8Array, offset: number, family: IpFamily): IpAddress {
  return family === 4 ? formatIpv4(bytes, offset) : formatIpv6(bytes, offset);
}

export function formatIpv4(bytes: Uint8Array, offset: number): IpAddress {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as `::`. */
export function formatIpv6(bytes: Uint8Array, offset: number): IpAddress {
  const groups = Array.from(
    { length: 8 },
    (_, index) =>
      ((bytes[offset + 2 * index] as number) << 8) | (bytes[offset + 2 * index + 1] as number),
  );
  let best = 0;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) {
      best = start;
      bestLength = end - start;
    }
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  if (bestLength < 2) return text(0, 8);
  return `${text(0, best)}::${text(best + bestLength, 8)}`;
}

const known = new Map<IpAddress, Uint8Array>();
const KNOWN_LIMIT = 4096;

/** The 4 or 16 bytes of a canonical address. Not to be changed by the caller. */
export function addressBytes(address: IpAddress): Uint8Array {
  let bytes = known.get(address);
  if (bytes === undefined) {
    bytes = parseAddress(address)?.bytes;
    if (bytes === undefined) throw new RangeError(`${address} is no address`);
    if (known.size >= KNOWN_LIMIT) known.clear();
    known.set(address, bytes);
  }
  return bytes;
}

export interface ParsedAddress {
  readonly family: IpFamily;
  /** canonical */
  readonly text: IpAddress;
  readonly bytes: Uint8Array;
}

/** Reads an address as people write it; undefined when it is none. */
export function parseAddress(text: string): ParsedAddress | undefined {
  const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  if (bytes === undefined) return undefined;
  const family = bytes.length === 4 ? 4 : 6;
  return { family, text: formatAddress(bytes, 0, family), bytes };
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const numbers = parts.map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256));
  return numbers.every((number) => number < 256) ? Uint8Array.from(numbers) : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const last = halves.length - 1;
  const [head, tail] = halves.map((half, index) =>
    half === '' ? [] : groupsOf(half, index === last),
  );
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const given = head.length + (tail?.length ?? 0);
  if (halves.length === 1 ? given !== 16 : given > 14) return undefined;
  return Uint8Array.from([...head, ...new Array(16 - given).fill(0), ...(tail ?? [])]);
}

/** The bytes of groups separated by colons, the last of which may be an IPv4 address if the text ends with it. */
function groupsOf(text: string, isEnd: boolean): number[] | undefined {
  const groups = text.split(':');
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    const ipv4 = isEnd && index === groups.length - 1 ? parseIpv4(group) : undefined;
    if (ipv4 !== undefined) bytes.push(...ipv4);
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >>> 8, value & 0xff);
    } else return undefined;
  }
  return bytes;
}

/** True when the first `prefix` bits of both are equal; false for different families. */
export function inPrefix(address: IpAddress, network: Uint8Array, prefix: number): boolean {
  const bytes = addressBytes(address);
  if (bytes.length !== network.length) return false;
  for (let bit = 0; bit < prefix; bit += 8) {
    const mask = prefix - bit >= 8 ? 0xff : 0xff & (0xff << (8 - (prefix - bit)));
    if (((bytes[bit >> 3] as number) ^ (network[bit >> 3] as number)) & mask) return false;
  }
  return true;
}

/** The host itself: 127.0.0.0/8, ::1, and the IPv4-mapped forms. */
export function isLoopback(address: IpAddress): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:7f');
}

/**
 * True when one host may be meant by `address`: not unspecified, loopback, multicast, broadcast, reserved, or an
 * IPv4 address in IPv6 clothes.
 */
export function isUnicast(address: IpAddress): boolean {
  const bytes = addressBytes(address);
  const first = bytes[0] as number;
  if (bytes.length === 4) return first !== 0 && first !== 127 && first < 224;
  if (first === 0xff) return false;
  // ::/8 holds the unspecified, the loopback, IPv4-compatible and IPv4-mapped addresses.
  return first !== 0;
}

/** fe80::/10 */
export function isLinkLocal6(address: IpAddress): boolean {
  return /^fe[89ab]/.test(address) && familyOf(address) === 6;
}
