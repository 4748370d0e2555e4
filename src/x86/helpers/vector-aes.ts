/** AES rounds over the scratch area. FIPS 197; SDM Vol. 2A "AESENC" to "AESKEYGENASSIST". */
import type { Cpu, Helper } from '../cpu.ts';
import { STATE } from '../state.ts';

const FIRST = STATE.vectorScratch;
const SECOND = STATE.vectorScratch + 32;

/** Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. FIPS 197, 4.2. */
function multiply(left: number, right: number): number {
  let product = 0;
  let power = left;
  for (let rest = right; rest !== 0; rest >>= 1) {
    if ((rest & 1) !== 0) product ^= power;
    power = (power << 1) ^ ((power & 0x80) !== 0 ? 0x11b : 0);
  }
  return product;
}

/** S-box: multiplicative inverse, then an affine map. FIPS 197, 5.1.1. */
function makeBox(): Uint8Array {
  const box = new Uint8Array(256);
  for (let value = 0; value < 256; value++) {
    let inverse = 0;
    for (let other = 1; other < 256 && value !== 0; other++) {
      if (multiply(value, other) === 1) inverse = other;
    }
    const rotated = (by: number): number => ((inverse << by) | (inverse >> (8 - by))) & 0xff;
    box[value] = inverse ^ rotated(1) ^ rotated(2) ^ rotated(3) ^ rotated(4) ^ 0x63;
  }
  return box;
}

let forward: Uint8Array | undefined;
let backward: Uint8Array | undefined;

/** The S-box and its inverse, made at first use. */
function boxes(): { forward: Uint8Array; backward: Uint8Array } {
  if (forward === undefined || backward === undefined) {
    forward = makeBox();
    const inverse = new Uint8Array(256);
    forward.forEach((to, from) => {
      inverse[to] = from;
    });
    backward = inverse;
  }
  return { forward, backward };
}

/** Bytes of the state in column order; row r moves by r columns, to the left or back. */
function shiftRows(state: Uint8Array, back: boolean): Uint8Array {
  return state.map((_, i) => {
    const row = i & 3;
    const column = (i >> 2) + (back ? 4 - row : row);
    return state[(column & 3) * 4 + row] as number;
  });
}

/** Multiplies each column by the circulant matrix with first row `factors`. FIPS 197, 5.1.3 and 5.3.3. */
function mixColumns(state: Uint8Array, factors: readonly number[]): Uint8Array {
  return state.map((_, i) => {
    const column = i & 12;
    let sum = 0;
    for (let k = 0; k < 4; k++) {
      const factor = factors[(k - (i & 3) + 4) & 3] as number;
      sum ^= multiply(state[column + k] as number, factor);
    }
    return sum;
  });
}

const MIX = [2, 3, 1, 1];
const UNMIX = [14, 11, 13, 9];

/** `kind`: bit 0 decrypts, bit 1 leaves out the mixing of columns. */
function aesRound(cpu: Cpu, half: number, kind: number): void {
  const { u8 } = cpu.state;
  const decrypts = (kind & 1) !== 0;
  const box = decrypts ? boxes().backward : boxes().forward;
  const state = u8.slice(FIRST + half, FIRST + half + 16);
  const boxed = shiftRows(state, decrypts).map((byte) => box[byte] as number);
  const next = (kind & 2) === 0 ? mixColumns(boxed, decrypts ? UNMIX : MIX) : boxed;
  next.forEach((byte, i) => {
    u8[FIRST + half + i] = byte ^ (u8[SECOND + half + i] as number);
  });
}

/** AESIMC. */
function aesUnmix(cpu: Cpu, half: number): void {
  const { u8 } = cpu.state;
  u8.set(mixColumns(u8.slice(FIRST + half, FIRST + half + 16), UNMIX), FIRST + half);
}

/** AESKEYGENASSIST: words 1 and 3 substituted, and rotated with the round constant added. */
function aesKey(cpu: Cpu, half: number, constant: number): void {
  const { view } = cpu.state;
  const box = boxes().forward;
  const substitute = (word: number): number => {
    let result = 0;
    for (let i = 0; i < 32; i += 8) result |= (box[(word >>> i) & 0xff] as number) << i;
    return result;
  };
  const at = FIRST + half;
  for (const [from, to] of [
    [4, 0],
    [12, 8],
  ] as const) {
    const word = substitute(view.getUint32(at + from, true));
    view.setInt32(at + to, word, true);
    view.setInt32(at + to + 4, ((word >>> 8) | (word << 24)) ^ constant, true);
  }
}

export const vectorAesHelpers: Record<string, Helper> = {
  aesRound: { params: ['i32', 'i32'], run: aesRound },
  aesUnmix: { params: ['i32'], run: aesUnmix },
  aesKey: { params: ['i32', 'i32'], run: aesKey },
};
