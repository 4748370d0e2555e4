/**
 * The careful path of floating-point vector instructions: exact results, all exception flags, unmasked
 * exceptions. Operands lie in STATE.vectorScratch (first at +0, second at +32), the result replaces the
 * first. SDM Vol. 1, 11.5.
 */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { GuestFault, UD, XM } from '../fault.ts';
import {
  add,
  approximate,
  CONVERT_MMX,
  CONVERT_TRUNCATES,
  compare,
  convertFormat,
  divide,
  ELEMENT,
  ELEMENT_BITS,
  type ElementKind,
  EQUAL,
  extremum,
  FLOAT_OPERATION,
  FLOAT16,
  FLOAT32,
  FLOAT64,
  FloatEnvironment,
  type FloatOperation,
  type Format,
  fromInteger,
  GREATER,
  LESS,
  MXCSR_PE,
  MXCSR_PM,
  MXCSR_RC,
  multiply,
  predicateHolds,
  predicateSignals,
  QuickArithmetic,
  ROUND_ZERO,
  roundToIntegral,
  squareRoot,
  subtract,
  toInteger,
  UNORDERED,
} from '../float/mod.ts';
import { STATE } from '../state.ts';

/** CR4.OSXMMEXCPT: unmasked exceptions raise #XM rather than #UD. */
const CR4_OSXMMEXCPT = 1n << 10n;

const FIRST = STATE.vectorScratch;
const SECOND = STATE.vectorScratch + 32;

/** Element `lane` of `width` bits at a state offset, unsigned. */
export function getElement(state: CpuState, width: number, offset: number, lane: number): bigint {
  const at = offset + (lane * width) / 8;
  if (width === 64) return state.view.getBigUint64(at, true);
  return BigInt(width === 32 ? state.view.getUint32(at, true) : state.view.getUint16(at, true));
}

export function setElement(
  state: CpuState,
  width: number,
  offset: number,
  lane: number,
  value: bigint,
): void {
  const at = offset + (lane * width) / 8;
  if (width === 64) state.view.setBigUint64(at, value, true);
  else if (width === 32) state.view.setUint32(at, Number(value), true);
  else state.view.setUint16(at, Number(value), true);
}

/** Sets MXCSR's flags; raises #XM (or #UD) when one of them is unmasked. */
export function commitFlags(cpu: Cpu, env: FloatEnvironment): void {
  cpu.state.set32(STATE.mxcsr, cpu.state.get32(STATE.mxcsr) | env.reported);
  if (env.unmasked !== 0) throw new GuestFault((cpu.state.cr4 & CR4_OSXMMEXCPT) !== 0n ? XM : UD);
}

type LaneOperation = (
  format: Format,
  env: FloatEnvironment,
  left: bigint,
  right: bigint,
  immediate: number,
  lane: number,
) => bigint;

const OPERATIONS: Record<FloatOperation, LaneOperation> = {
  add,
  subtract,
  multiply,
  divide,
  minimum: (format, env, left, right) => extremum(format, env, left, right, LESS),
  maximum: (format, env, left, right) => extremum(format, env, left, right, GREATER),
  addSubtract: (format, env, left, right, _immediate, lane) =>
    ((lane & 1) === 0 ? subtract : add)(format, env, left, right),
  compare: (format, env, left, right, immediate) => {
    const predicate = immediate & 31;
    const found = compare(format, env, left, right, predicateSignals(predicate));
    return predicateHolds(predicate, found) ? (1n << BigInt(format.width)) - 1n : 0n;
  },
  squareRoot,
  round: (format, env, left, _right, immediate) => {
    const mode = (immediate & 4) !== 0 ? env.rounding : immediate & 3;
    return roundToIntegral(format, env, left, mode, (immediate & 8) === 0);
  },
};

const OPERATION_LIST: readonly LaneOperation[] = Object.entries(FLOAT_OPERATION)
  .sort(([, a], [, b]) => a - b)
  .map(([name]) => OPERATIONS[name as FloatOperation]);

const quick = new QuickArithmetic();

/** The same by the host's arithmetic, when MXCSR and all numbers are ordinary; false when they are not. */
function quickLanes(state: CpuState, operation: number, width: 32 | 64, lanes: number): boolean {
  const mxcsr = state.get32(STATE.mxcsr);
  if ((mxcsr & (MXCSR_RC | MXCSR_PM)) !== MXCSR_PM) return false;
  const { view } = state;
  const get = (at: number): number =>
    width === 32 ? view.getFloat32(at, true) : view.getFloat64(at, true);
  quick.inexact = false;
  for (let lane = 0; lane < lanes; lane++) {
    const at = (lane * width) / 8;
    const result = quick.run(operation, width, get(FIRST + at), get(SECOND + at));
    if (Number.isNaN(result)) return false;
    quickResults[lane] = result;
  }
  for (let lane = 0; lane < lanes; lane++) {
    const at = FIRST + (lane * width) / 8;
    if (width === 32) view.setFloat32(at, quickResults[lane] as number, true);
    else view.setFloat64(at, quickResults[lane] as number, true);
  }
  if (quick.inexact) state.set32(STATE.mxcsr, mxcsr | MXCSR_PE);
  return true;
}
const quickResults = new Float64Array(8);

/** One operation over `lanes` elements of `width` bits. */
function floatLanes(
  cpu: Cpu,
  operation: number,
  width: 32 | 64,
  lanes: number,
  immediate: number,
): void {
  const { state } = cpu;
  if (quickLanes(state, operation, width, lanes)) return;
  const format = width === 32 ? FLOAT32 : FLOAT64;
  const env = new FloatEnvironment(state.get32(STATE.mxcsr));
  const run = OPERATION_LIST[operation] as LaneOperation;
  const results: bigint[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    const left = getElement(state, width, FIRST, lane);
    results.push(run(format, env, left, getElement(state, width, SECOND, lane), immediate, lane));
  }
  commitFlags(cpu, env);
  results.forEach((value, lane) => {
    setElement(state, width, FIRST, lane, value);
  });
}

/** Flags of COMISS and UCOMISS. SDM Vol. 2A "COMISS". */
function floatCompareFlags(cpu: Cpu, width: number, signalsQuiet: number): void {
  const { state } = cpu;
  const format = width === 32 ? FLOAT32 : FLOAT64;
  const env = new FloatEnvironment(state.get32(STATE.mxcsr));
  const left = getElement(state, width, FIRST, 0);
  const found = compare(format, env, left, getElement(state, width, SECOND, 0), signalsQuiet !== 0);
  commitFlags(cpu, env);
  const unordered = found === UNORDERED;
  state.set64(STATE.flagZ, unordered || found === EQUAL ? 0n : 1n);
  // PF: even parity of an even number of ones, odd of one.
  state.set64(STATE.flagS, unordered ? 0n : 1n);
  state.set32(STATE.flagC, unordered || found === LESS ? 1 : 0);
  state.set64(STATE.flagO, 0n);
  state.set64(STATE.flagA, 0n);
}

const KINDS: readonly ElementKind[] = (Object.keys(ELEMENT) as ElementKind[]).sort(
  (a, b) => ELEMENT[a] - ELEMENT[b],
);
const FORMATS: Partial<Record<ElementKind, Format>> = {
  float16: FLOAT16,
  float32: FLOAT32,
  float64: FLOAT64,
};

function convertElement(
  env: FloatEnvironment,
  from: ElementKind,
  to: ElementKind,
  bits: bigint,
  truncates: boolean,
): bigint {
  const source = FORMATS[from];
  const target = FORMATS[to];
  if (source === undefined) {
    return fromInteger(target as Format, env, BigInt.asIntN(ELEMENT_BITS[from], bits));
  }
  if (target !== undefined) return convertFormat(source, target, env, bits);
  return toInteger(source, env, bits, ELEMENT_BITS[to], truncates ? ROUND_ZERO : env.rounding);
}

/** Converts `lanes` elements; the rest of the 32-byte result is cleared. */
function floatConvert(cpu: Cpu, from: number, to: number, lanes: number, options: number): void {
  const { state } = cpu;
  const source = KINDS[from] as ElementKind;
  const target = KINDS[to] as ElementKind;
  const env = new FloatEnvironment(state.get32(STATE.mxcsr));
  const results: bigint[] = [];
  for (let lane = 0; lane < lanes; lane++) {
    const bits = getElement(state, ELEMENT_BITS[source], FIRST, lane);
    results.push(convertElement(env, source, target, bits, (options & CONVERT_TRUNCATES) !== 0));
  }
  if ((options & CONVERT_MMX) !== 0) {
    state.set32(STATE.fpuTop, 0);
    state.set32(STATE.fpuValid, 0xff);
  }
  commitFlags(cpu, env);
  state.u8.fill(0, FIRST, FIRST + 32);
  results.forEach((value, lane) => {
    setElement(state, ELEMENT_BITS[target], FIRST, lane, value);
  });
}

/**
 * DPPS and DPPD: chosen products, added in pairs, copied where the immediate says. An unmasked exception
 * of one step keeps the next from happening. SDM Vol. 2A "DPPS".
 */
function floatDotProduct(cpu: Cpu, width: number, halves: number, immediate: number): void {
  const { state } = cpu;
  const format = width === 32 ? FLOAT32 : FLOAT64;
  const lanes = 128 / width;
  const env = new FloatEnvironment(state.get32(STATE.mxcsr));
  const at = Array.from({ length: halves * lanes }, (_, i) => i);
  let terms = at.map((i) => {
    const chosen = ((immediate >> (4 + (i % lanes))) & 1) !== 0;
    const left = getElement(state, width, FIRST, i);
    return chosen ? multiply(format, env, left, getElement(state, width, SECOND, i)) : 0n;
  });
  while (terms.length > halves && env.unmasked === 0) {
    const pairs = at.slice(0, terms.length / 2);
    terms = pairs.map((i) => {
      return add(format, env, terms[2 * i] as bigint, terms[2 * i + 1] as bigint);
    });
  }
  commitFlags(cpu, env);
  for (const i of at) {
    const total = terms[Math.floor(i / lanes)] as bigint;
    setElement(state, width, FIRST, i, ((immediate >> (i % lanes)) & 1) !== 0 ? total : 0n);
  }
}

/** RCPPS, RSQRTPS: no exceptions. */
function floatApproximate(cpu: Cpu, root: number, lanes: number): void {
  const { view } = cpu.state;
  for (let lane = 0; lane < lanes; lane++) {
    const at = FIRST + lane * 4;
    view.setUint32(at, approximate(view.getUint32(at, true), root !== 0), true);
  }
}

export const vectorFloatHelpers: Record<string, Helper> = {
  floatLanes: { params: ['i32', 'i32', 'i32', 'i32'], run: floatLanes },
  floatCompareFlags: { params: ['i32', 'i32'], run: floatCompareFlags },
  floatConvert: { params: ['i32', 'i32', 'i32', 'i32'], run: floatConvert },
  floatApproximate: { params: ['i32', 'i32'], run: floatApproximate },
  floatDotProduct: { params: ['i32', 'i32', 'i32'], run: floatDotProduct },
};
