/** Sequence numbers: modulo 2^32, compared by the sign of their difference. RFC 9293 section 3.4. */

/** How far `left` lies behind `right`; negative when it lies before. */
export function distance(left: number, right: number): number {
  return (left - right) | 0;
}

export function advance(sequence: number, bytes: number): number {
  return (sequence + bytes) >>> 0;
}

export function isBefore(left: number, right: number): boolean {
  return distance(left, right) < 0;
}

export function isAfter(left: number, right: number): boolean {
  return distance(left, right) > 0;
}
