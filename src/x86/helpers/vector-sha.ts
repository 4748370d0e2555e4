/** SHA-1 and SHA-256 steps over the scratch area. FIPS 180-4; SDM Vol. 2B "SHA1MSG1" to "SHA256RNDS2". */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { STATE } from '../state.ts';

const FIRST = STATE.vectorScratch;
const SECOND = STATE.vectorScratch + 32;
const THIRD = STATE.vectorScratch + 64;

type Words = [number, number, number, number];

/** The four words of a vector, lowest first. */
function words(state: CpuState, at: number): Words {
  const get = (i: number): number => state.view.getInt32(at + 4 * i, true);
  return [get(0), get(1), get(2), get(3)];
}

function setWords(state: CpuState, values: Readonly<Words>): void {
  values.forEach((value, i) => {
    state.view.setInt32(FIRST + 4 * i, value, true);
  });
}

const left = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
const right = (word: number, by: number): number => (word >>> by) | (word << (32 - by));
const choose = (x: number, y: number, z: number): number => (x & y) ^ (~x & z);
const parity = (x: number, y: number, z: number): number => x ^ y ^ z;
const majority = (x: number, y: number, z: number): number => (x & y) ^ (x & z) ^ (y & z);

/** Function and constant of each twenty rounds. FIPS 180-4, 4.1.1 and 4.2.1. */
const SHA1 = [
  [choose, 0x5a82_7999],
  [parity, 0x6ed9_eba1],
  [majority, 0x8f1b_bcdc],
  [parity, 0xca62_c1d6],
] as const;

/** SHA1RNDS4: A is the uppermost word; E has been added to the first message word. */
function sha1Rounds(cpu: Cpu, _half: number, imm: number): void {
  const [f, constant] = SHA1[imm & 3] as (typeof SHA1)[number];
  let [d, c, b, a] = words(cpu.state, FIRST);
  const message = words(cpu.state, SECOND);
  let e = 0;
  for (let round = 0; round < 4; round++) {
    const word = message[3 - round] as number;
    const next = (f(b, c, d) + left(a, 5) + word + e + constant) | 0;
    [e, d, c, b, a] = [d, c, left(b, 30), a, next];
  }
  setWords(cpu.state, [d, c, b, a]);
}

function sha1Next(cpu: Cpu): void {
  const [, , , a] = words(cpu.state, FIRST);
  const [x, y, z, w] = words(cpu.state, SECOND);
  setWords(cpu.state, [x, y, z, (w + left(a, 30)) | 0]);
}

function sha1Message1(cpu: Cpu): void {
  const [w3, w2, w1, w0] = words(cpu.state, FIRST);
  const [, , w5, w4] = words(cpu.state, SECOND);
  setWords(cpu.state, [w5 ^ w3, w4 ^ w2, w3 ^ w1, w2 ^ w0]);
}

function sha1Message2(cpu: Cpu): void {
  const [x3, x2, x1, x0] = words(cpu.state, FIRST);
  const [w15, w14, w13] = words(cpu.state, SECOND);
  const w16 = left(x0 ^ w13, 1);
  const w17 = left(x1 ^ w14, 1);
  const w18 = left(x2 ^ w15, 1);
  setWords(cpu.state, [left(x3 ^ w16, 1), w18, w17, w16]);
}

const sigma0 = (x: number): number => right(x, 7) ^ right(x, 18) ^ (x >>> 3);
const sigma1 = (x: number): number => right(x, 17) ^ right(x, 19) ^ (x >>> 10);

/** SHA256RNDS2: two rounds; the words of message and constant lie in the low half of the third vector. */
function sha256Rounds(cpu: Cpu): void {
  let [h, g, d, c] = words(cpu.state, FIRST);
  let [f, e, b, a] = words(cpu.state, SECOND);
  const keys = words(cpu.state, THIRD);
  for (let round = 0; round < 2; round++) {
    const upper = right(e, 6) ^ right(e, 11) ^ right(e, 25);
    const first = (choose(e, f, g) + upper + (keys[round] as number) + h) | 0;
    const lower = right(a, 2) ^ right(a, 13) ^ right(a, 22);
    const second = (majority(a, b, c) + lower) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (first + d) | 0, c, b, a, (first + second) | 0];
  }
  setWords(cpu.state, [f, e, b, a]);
}

function sha256Message1(cpu: Cpu): void {
  const [w0, w1, w2, w3] = words(cpu.state, FIRST);
  const [w4] = words(cpu.state, SECOND);
  setWords(cpu.state, [
    (w0 + sigma0(w1)) | 0,
    (w1 + sigma0(w2)) | 0,
    (w2 + sigma0(w3)) | 0,
    (w3 + sigma0(w4)) | 0,
  ]);
}

function sha256Message2(cpu: Cpu): void {
  const [x0, x1, x2, x3] = words(cpu.state, FIRST);
  const [, , w14, w15] = words(cpu.state, SECOND);
  const w16 = (x0 + sigma1(w14)) | 0;
  const w17 = (x1 + sigma1(w15)) | 0;
  setWords(cpu.state, [w16, w17, (x2 + sigma1(w16)) | 0, (x3 + sigma1(w17)) | 0]);
}

export const vectorShaHelpers: Record<string, Helper> = {
  sha1Rounds: { params: ['i32', 'i32'], run: sha1Rounds },
  sha1Next: { params: ['i32'], run: sha1Next },
  sha1Message1: { params: ['i32'], run: sha1Message1 },
  sha1Message2: { params: ['i32'], run: sha1Message2 },
  sha256Rounds: { params: ['i32'], run: sha256Rounds },
  sha256Message1: { params: ['i32'], run: sha256Message1 },
  sha256Message2: { params: ['i32'], run: sha256Message2 },
};
