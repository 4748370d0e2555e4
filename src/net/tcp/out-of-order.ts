import { advance, distance, isAfter, isBefore } from './sequence.ts';

interface Piece {
  readonly from: number;
  readonly bytes: Uint8Array;
}

/** More pieces than this are not kept: the sender sends them again. */
const MAX_PIECES = 512;

/** Data that arrived before the data in front of it. Pieces are in order and do not overlap. */
export class OutOfOrder {
  #pieces: Piece[] = [];
  /** where the piece that came last begins, for the first block of a SACK */
  #latest = 0;

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Bytes that are kept. */
  get length(): number {
    return this.#pieces.reduce((total, { bytes }) => total + bytes.length, 0);
  }

  /** Keeps a copy of what is new in `bytes`, which begin at sequence number `from`. */
  add(from: number, bytes: Uint8Array): void {
    this.#latest = from;
    let at = from;
    const end = advance(from, bytes.length);
    const merged: Piece[] = [];
    const keep = (to: number) => {
      if (!isBefore(at, to)) return;
      const start = distance(at, from);
      merged.push({ from: at, bytes: bytes.slice(start, start + distance(to, at)) });
      at = to;
    };
    for (const piece of this.#pieces) {
      const pieceEnd = advance(piece.from, piece.bytes.length);
      if (isBefore(at, piece.from)) keep(isBefore(end, piece.from) ? end : piece.from);
      merged.push(piece);
      if (isAfter(pieceEnd, at)) at = pieceEnd;
    }
    keep(end);
    if (merged.length <= MAX_PIECES) this.#pieces = merged;
  }

  /** Takes out what continues at `sequence`, without what lies before it; undefined when there is a gap. */
  take(sequence: number): Uint8Array | undefined {
    for (;;) {
      const first = this.#pieces[0];
      if (first === undefined || isAfter(first.from, sequence)) return undefined;
      this.#pieces.shift();
      const known = distance(sequence, first.from);
      if (known < first.bytes.length) return first.bytes.subarray(known);
    }
  }

  /** Up to `limit` runs of bytes without a gap, the latest first. RFC 2018 section 4. */
  blocks(limit: number): [from: number, to: number][] {
    const runs: [number, number][] = [];
    for (const { from, bytes } of this.#pieces) {
      const last = runs.at(-1);
      const to = advance(from, bytes.length);
      if (last !== undefined && last[1] === from) last[1] = to;
      else runs.push([from, to]);
    }
    const latest = runs.findIndex(
      ([from, to]) => !isBefore(this.#latest, from) && isBefore(this.#latest, to),
    );
    if (latest > 0) runs.unshift(...runs.splice(latest, 1));
    return runs.slice(0, limit);
  }

  clear(): void {
    this.#pieces = [];
  }
}
