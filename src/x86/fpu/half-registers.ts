/**
 * The halves of the vector registers, sixteen bytes each, in the state and in a row in an image. Guests move them at every
 * switch of tasks, so they go word by word: a view of each half costs more than its bytes.
 */
import type { CpuState } from '../cpu-state.ts';
import { xmmOffset } from '../state.ts';

const HALF_BYTES = 16;
const HALF_WORDS = HALF_BYTES / 4;

/** Where in its register a half begins. */
export type Half = typeof LOWER | typeof UPPER;
export const LOWER = 0;
export const UPPER = HALF_BYTES;

/** Writes a half of registers 0 to `count - 1` to `image`, from byte `at` on, a multiple of four. */
export function storeHalves(
  { i32 }: CpuState,
  half: Half,
  count: number,
  image: Uint8Array,
  at: number,
): void {
  const words = wordsOf(image, at, count);
  eachWord(half, count, (inState, inImage) => {
    words[inImage] = i32[inState] as number;
  });
}

/** Reads what `storeHalves` writes. */
export function loadHalves(
  { i32 }: CpuState,
  half: Half,
  count: number,
  image: Uint8Array,
  at: number,
): void {
  const words = wordsOf(image, at, count);
  eachWord(half, count, (inState, inImage) => {
    i32[inState] = words[inImage] as number;
  });
}

export function clearHalves({ i32 }: CpuState, half: Half, count: number): void {
  for (let i = 0; i < count; i++) i32.fill(0, wordOf(i, half), wordOf(i, half) + HALF_WORDS);
}

/** True when a half of one of registers 0 to `count - 1` is not zero. */
export function areHalvesInUse({ i32 }: CpuState, half: Half, count: number): boolean {
  for (let i = 0; i < count; i++) {
    const at = wordOf(i, half);
    if (((i32[at] as number) | (i32[at + 1] as number)) !== 0) return true;
    if (((i32[at + 2] as number) | (i32[at + 3] as number)) !== 0) return true;
  }
  return false;
}

/** Visits the words of halves 0 to `count - 1`, by their numbers in the state and in the image. */
function eachWord(
  half: Half,
  count: number,
  visit: (inState: number, inImage: number) => void,
): void {
  for (let i = 0; i < count; i++) {
    const from = wordOf(i, half);
    for (let k = 0; k < HALF_WORDS; k++) visit(from + k, HALF_WORDS * i + k);
  }
}

function wordOf(register: number, half: Half): number {
  return (xmmOffset(register) + half) >> 2;
}

function wordsOf(image: Uint8Array, at: number, count: number): Int32Array {
  return new Int32Array(image.buffer, image.byteOffset + at, HALF_WORDS * count);
}
