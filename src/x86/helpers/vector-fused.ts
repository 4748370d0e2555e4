/** FMA and F16C over the scratch area. SDM Vol. 2C "VFMADD132PD", "VCVTPH2PS", "VCVTPS2PH". */
import type { Cpu, Helper } from '../cpu.ts';
import {
  convertFormat,
  FLOAT16,
  FLOAT32,
  FLOAT64,
  FloatEnvironment,
  fusedMultiplyAdd,
} from '../float/mod.ts';
import { STATE } from '../state.ts';
import { commitFlags, getElement, setElement } from './vector-float.ts';

const FIRST = STATE.vectorScratch;
const SECOND = STATE.vectorScratch + 32;
const THIRD = STATE.vectorScratch + 64;
const MXCSR_DAZ = 0x40;
const MXCSR_FZ = 0x8000;

/** `negate`: bit 0 the product, bit 1 the addend of even lanes, bit 2 that of odd lanes. */
function floatFused(cpu: Cpu, width: number, lanes: number, negate: number): void {
  const { state } = cpu;
  const format = width === 32 ? FLOAT32 : FLOAT64;
  const env = new FloatEnvironment(state.get32(STATE.mxcsr));
  const results: bigint[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    const [x, y, z] = [FIRST, SECOND, THIRD].map((at) => getElement(state, width, at, lane)) as [
      bigint,
      bigint,
      bigint,
    ];
    const minus = ((negate >> (1 + (lane & 1))) & 1) !== 0;
    results.push(fusedMultiplyAdd(format, env, x, y, z, (negate & 1) !== 0, minus));
  }
  commitFlags(cpu, env);
  results.forEach((value, lane) => {
    setElement(state, width, FIRST, lane, value);
  });
}

/** Half to single: denormal halves are numbers like others, whatever DAZ says. */
function floatFromHalf(cpu: Cpu, lanes: number): void {
  const { state } = cpu;
  const mxcsr = state.get32(STATE.mxcsr);
  const env = new FloatEnvironment(mxcsr & ~MXCSR_DAZ);
  const results: bigint[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    const half = getElement(state, 16, FIRST, lane);
    results.push(convertFormat(FLOAT16, FLOAT32, env, half, false));
  }
  commitFlags(cpu, env);
  results.forEach((value, lane) => {
    setElement(state, 32, FIRST, lane, value);
  });
}

/** Single to half: tiny results are not flushed, whatever FZ says. */
function floatToHalf(cpu: Cpu, lanes: number, imm: number): void {
  const { state } = cpu;
  const mxcsr = state.get32(STATE.mxcsr);
  const env = new FloatEnvironment(mxcsr & ~MXCSR_FZ);
  if ((imm & 4) === 0) env.rounding = imm & 3;
  const results: bigint[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    results.push(convertFormat(FLOAT32, FLOAT16, env, getElement(state, 32, FIRST, lane)));
  }
  commitFlags(cpu, env);
  state.u8.fill(0, FIRST, FIRST + 32);
  results.forEach((value, lane) => {
    setElement(state, 16, FIRST, lane, value);
  });
}

export const vectorFusedHelpers: Record<string, Helper> = {
  floatFused: { params: ['i32', 'i32', 'i32'], run: floatFused },
  floatFromHalf: { params: ['i32'], run: floatFromHalf },
  floatToHalf: { params: ['i32', 'i32'], run: floatToHalf },
};
