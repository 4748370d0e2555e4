/**
 * The Internet checksum: the ones' complement of the ones' complement sum of 16-bit words. RFC 1071.
 */
import { read16 } from './bytes.ts';

/** Adds `[from, to)` to a running sum; an odd last byte counts as the high half of a word. */
export function addWords(bytes: Uint8Array, from: number, to: number, sum: number): number {
  let total = sum;
  let at = from;
  // 2^15 words of 16 bits stay below 2^31, so carries are folded once a block.
  while (at + 1 < to) {
    const end = Math.min(to - 1, at + 0x8000);
    let block = 0;
    for (; at < end; at += 2) block += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    total = fold(total + block);
  }
  return at < to ? fold(total + ((bytes[at] as number) << 8)) : total;
}

/** Brings a sum back to 16 bits. */
export function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return folded;
}

/** The checksum of `[from, to)` with `sum` added before. */
export function checksum(bytes: Uint8Array, from: number, to: number, sum = 0): number {
  return ~addWords(bytes, from, to, sum) & 0xffff;
}

/**
 * The sum of the pseudo header that TCP, UDP and ICMPv6 checksums begin with, folded to 16 bits.
 * RFC 9293 section 3.1, RFC 8200 section 8.1. Addresses are 4 or 16 bytes each.
 */
export function pseudoHeaderSum(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
): number {
  let sum = protocol + (length >>> 16) + (length & 0xffff);
  for (let at = 0; at < source.length; at += 2) sum += read16(source, at) + read16(destination, at);
  return fold(sum);
}
