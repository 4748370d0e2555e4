/** MPSADBW, PHMINPOSUW and PCLMULQDQ over the scratch area. SDM Vol. 2B. */
import type { Cpu, Helper } from '../cpu.ts';
import { STATE } from '../state.ts';

const FIRST = STATE.vectorScratch;
const SECOND = STATE.vectorScratch + 32;

/** MPSADBW: eight sums of four differences. The upper half of VEX.256 has its own immediate bits. */
function sumsOfDifferences(cpu: Cpu, half: number, imm: number): void {
  const { u8, view } = cpu.state;
  const control = half === 0 ? imm : imm >> 3;
  const left = FIRST + half + (control & 4);
  const right = SECOND + half + (control & 3) * 4;
  const sums: number[] = [];
  for (let i = 0; i < 8; i++) {
    let sum = 0;
    for (let j = 0; j < 4; j++) {
      sum += Math.abs((u8[left + i + j] as number) - (u8[right + j] as number));
    }
    sums.push(sum);
  }
  sums.forEach((sum, i) => {
    view.setUint16(FIRST + half + 2 * i, sum, true);
  });
}

/** PHMINPOSUW: the least word, and the number of its first place. */
function minimumWord(cpu: Cpu): void {
  const { u8, view } = cpu.state;
  let least = 0x1_0000;
  let place = 0;
  for (let i = 0; i < 8; i++) {
    const word = view.getUint16(FIRST + 2 * i, true);
    if (word >= least) continue;
    least = word;
    place = i;
  }
  u8.fill(0, FIRST, FIRST + 16);
  view.setUint16(FIRST, least, true);
  view.setUint16(FIRST + 2, place, true);
}

/** Carry-less product of two 32-bit numbers, as low and high half. */
function carryless(left: number, right: number): readonly [number, number] {
  let low = 0;
  let high = 0;
  for (let i = 0; i < 32; i++) {
    if (((right >>> i) & 1) === 0) continue;
    low ^= left << i;
    if (i > 0) high ^= left >>> (32 - i);
  }
  return [low, high];
}

/** PCLMULQDQ: the quadwords that imm[0] and imm[4] choose. */
function multiplyCarryless(cpu: Cpu, half: number, imm: number): void {
  const { view } = cpu.state;
  const left = FIRST + half + ((imm & 1) !== 0 ? 8 : 0);
  const right = SECOND + half + ((imm & 16) !== 0 ? 8 : 0);
  const words = [0, 0, 0, 0];
  const parts = [0, 1].map((i) => view.getInt32(left + 4 * i, true));
  for (const [i, x] of parts.entries()) {
    for (let j = 0; j < 2; j++) {
      const [low, high] = carryless(x, view.getInt32(right + 4 * j, true));
      words[i + j] = (words[i + j] as number) ^ low;
      words[i + j + 1] = (words[i + j + 1] as number) ^ high;
    }
  }
  words.forEach((word, i) => {
    view.setInt32(FIRST + half + 4 * i, word, true);
  });
}

export const vectorIntegerHelpers: Record<string, Helper> = {
  sumsOfDifferences: { params: ['i32', 'i32'], run: sumsOfDifferences },
  minimumWord: { params: ['i32'], run: minimumWord },
  multiplyCarryless: { params: ['i32', 'i32'], run: multiplyCarryless },
};
