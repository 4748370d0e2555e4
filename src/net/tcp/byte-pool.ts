/**
 * Memory for queues that fill and empty all the time, so that the collector of garbage need not follow them. A few
 * pieces of each size are kept; what they held before is still in them.
 */

const SMALLEST_SHIFT = 12;
const LARGEST_SHIFT = 20;
/** Bytes kept of each size, at most. */
const KEPT_BYTES = 1 << 20;

const free: Uint8Array<ArrayBuffer>[][] = Array.from({ length: LARGEST_SHIFT + 1 }, () => []);

/** A piece of at least `bytes`, a power of two. */
export function takePiece(bytes: number): Uint8Array<ArrayBuffer> {
  const shift = Math.max(SMALLEST_SHIFT, 32 - Math.clz32(bytes - 1));
  return free[shift]?.pop() ?? new Uint8Array(2 ** shift);
}

/** Gives back a piece that `takePiece` returned, or an empty array. Nobody may use it any more. */
export function givePiece(piece: Uint8Array<ArrayBuffer>): void {
  if (piece.length === 0) return;
  const shift = 31 - Math.clz32(piece.length);
  const pieces = free[shift];
  if (pieces !== undefined && pieces.length < KEPT_BYTES >> shift) pieces.push(piece);
}
