import type { Block } from '../ir/mod.ts';
import {
  buildMeaning,
  type CodeMode,
  DECODED,
  type Decoder,
  MAX_INSTRUCTION_BYTES,
} from '../x86/mod.ts';
import { shapeKeyOf, shapeOf } from './shape-key.ts';

/** One sample in so many is looked at. */
const INTERVAL = 16;
/** Instructions that are looked at from there on, at most. */
const RUN = 16;
const PAGE = 4096;

/**
 * How often guest code touches memory, without counting it where it does: at some of the places where
 * slices of execution end, the straight code that follows is decoded once more, and its accesses are
 * counted in its meanings. Repeated string instructions count as one round.
 */
export class AccessSamples {
  #calls = 0;
  #instructions = 0;
  #accesses = 0;
  /** by encoding and shape */
  readonly #known = new Map<number, number>();

  /** Execution was seen at `place`, an offset of linear memory; `decoder` is free to use. */
  sample(decoder: Decoder, linear: Uint8Array, place: number, mode: CodeMode): void {
    if (this.#calls++ % INTERVAL !== 0) return;
    const end = (Math.floor(place / PAGE) + 1) * PAGE;
    for (let at = place, count = 0; at < end && count < RUN; count++) {
      const limit = Math.min(at + MAX_INSTRUCTION_BYTES, end);
      if (decoder.decode(linear, at, limit, mode) !== DECODED) return;
      this.#instructions++;
      this.#accesses += this.#accessesOf(decoder, mode);
      if (decoder.encoding.attributes.has('ends')) return;
      at += decoder.length;
    }
  }

  /** Accesses to memory that `instructions` made, as the samples have it. */
  estimate(instructions: number): number {
    if (this.#instructions === 0) return 0;
    return Math.round((instructions * this.#accesses) / this.#instructions);
  }

  #accessesOf(decoder: Decoder, mode: CodeMode): number {
    const { encoding } = decoder;
    const key = shapeKeyOf(decoder, mode);
    const known = this.#known.get(encoding.id * 65_536 + key);
    if (known !== undefined) return known;
    const count = accessesIn(buildMeaning(encoding, shapeOf(key)).block);
    this.#known.set(encoding.id * 65_536 + key, count);
    return count;
  }
}

/** Loads and stores of a meaning; of alternatives, those of the longer one. */
function accessesIn(block: Block): number {
  let count = 0;
  for (const { op, blocks } of block) {
    if (op === 'memory.load' || op === 'memory.store') count++;
    if (blocks !== undefined) count += Math.max(...blocks.map(accessesIn));
  }
  return count;
}
