import type { Type } from './types.ts';
import { vectorOps } from './vector-ops.ts';

/**
 * A value while the reference evaluates: i32 is a number in int32 range, i64 an unsigned bigint,
 * f32 and f64 numbers, v128 sixteen bytes.
 */
export type Datum = number | bigint | Uint8Array;

/** One row of the op table: what an op takes and gives, how it evaluates, which WebAssembly it is. */
export interface OpRow {
  readonly args: readonly Type[];
  readonly type: Type;
  /** `imm` is the node's immediate (lane index, shuffle pattern) */
  // biome-ignore lint/suspicious/noExplicitAny: rows are typed by `args`; the table is checked by the differential tests
  readonly evaluate: (...args: any[]) => Datum;
  /** opcode bytes; the node's immediate follows when `lane` says so */
  readonly wasm: readonly number[];
  /** an immediate follows the opcode: one lane byte, or sixteen shuffle bytes */
  readonly lane?: 'lane' | 'shuffle';
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const bit = (condition: boolean): number => (condition ? 1 : 0);

function row(args: string, type: Type, wasm: number[], evaluate: OpRow['evaluate']): OpRow {
  return { args: args === '' ? [] : (args.split(' ') as Type[]), type, wasm, evaluate };
}

const clz64 = (x: bigint): bigint => (x === 0n ? 64n : BigInt(64 - x.toString(2).length));
const ctz64 = (x: bigint): bigint => {
  if (x === 0n) return 64n;
  let count = 0n;
  while (((x >> count) & 1n) === 0n) count++;
  return count;
};
const popcnt64 = (x: bigint): bigint => BigInt([...x.toString(2)].filter((c) => c === '1').length);
const popcnt32 = (x: number): number => Number(popcnt64(BigInt(x >>> 0)));

const bits = new DataView(new ArrayBuffer(8));

/** i64 division as WebAssembly does it; the semantics guard zero and overflow before. */
const scalarOps: Record<string, OpRow> = {
  // 64-bit integers. Law: arithmetic modulo 2^64.
  'i64.add': row('i64 i64', 'i64', [0x7c], (x, y) => u64(x + y)),
  'i64.sub': row('i64 i64', 'i64', [0x7d], (x: bigint, y: bigint) => u64(x - y)),
  'i64.mul': row('i64 i64', 'i64', [0x7e], (x: bigint, y: bigint) => u64(x * y)),
  'i64.div_s': row('i64 i64', 'i64', [0x7f], (x, y) => u64(s64(x) / s64(y))),
  'i64.div_u': row('i64 i64', 'i64', [0x80], (x, y) => x / y),
  'i64.rem_s': row('i64 i64', 'i64', [0x81], (x, y) => u64(s64(x) % s64(y))),
  'i64.rem_u': row('i64 i64', 'i64', [0x82], (x, y) => x % y),
  'i64.and': row('i64 i64', 'i64', [0x83], (x, y) => x & y),
  'i64.or': row('i64 i64', 'i64', [0x84], (x, y) => x | y),
  'i64.xor': row('i64 i64', 'i64', [0x85], (x, y) => x ^ y),
  // Shift and rotate counts are taken modulo 64.
  'i64.shl': row('i64 i64', 'i64', [0x86], (x, y) => u64(x << (y & 63n))),
  'i64.shr_s': row('i64 i64', 'i64', [0x87], (x, y) => u64(s64(x) >> (y & 63n))),
  'i64.shr_u': row('i64 i64', 'i64', [0x88], (x, y) => x >> (y & 63n)),
  'i64.rotl': row('i64 i64', 'i64', [0x89], (x, y) =>
    u64((x << (y & 63n)) | (x >> (64n - (y & 63n)))),
  ),
  'i64.rotr': row('i64 i64', 'i64', [0x8a], (x, y) =>
    u64((x >> (y & 63n)) | (x << (64n - (y & 63n)))),
  ),
  'i64.clz': row('i64', 'i64', [0x79], clz64),
  'i64.ctz': row('i64', 'i64', [0x7a], ctz64),
  'i64.popcnt': row('i64', 'i64', [0x7b], popcnt64),
  'i64.extend8_s': row('i64', 'i64', [0xc2], (x) => u64(BigInt.asIntN(8, x))),
  'i64.extend16_s': row('i64', 'i64', [0xc3], (x) => u64(BigInt.asIntN(16, x))),
  'i64.extend32_s': row('i64', 'i64', [0xc4], (x) => u64(BigInt.asIntN(32, x))),
  'i64.eqz': row('i64', 'i32', [0x50], (x) => bit(x === 0n)),
  'i64.eq': row('i64 i64', 'i32', [0x51], (x, y) => bit(x === y)),
  'i64.ne': row('i64 i64', 'i32', [0x52], (x, y) => bit(x !== y)),
  'i64.lt_s': row('i64 i64', 'i32', [0x53], (x, y) => bit(s64(x) < s64(y))),
  'i64.lt_u': row('i64 i64', 'i32', [0x54], (x, y) => bit(x < y)),
  'i64.gt_s': row('i64 i64', 'i32', [0x55], (x, y) => bit(s64(x) > s64(y))),
  'i64.gt_u': row('i64 i64', 'i32', [0x56], (x, y) => bit(x > y)),
  'i64.le_s': row('i64 i64', 'i32', [0x57], (x, y) => bit(s64(x) <= s64(y))),
  'i64.le_u': row('i64 i64', 'i32', [0x58], (x, y) => bit(x <= y)),
  'i64.ge_s': row('i64 i64', 'i32', [0x59], (x, y) => bit(s64(x) >= s64(y))),
  'i64.ge_u': row('i64 i64', 'i32', [0x5a], (x, y) => bit(x >= y)),

  // 32-bit integers and truth values.
  'i32.add': row('i32 i32', 'i32', [0x6a], (x, y) => (x + y) | 0),
  'i32.sub': row('i32 i32', 'i32', [0x6b], (x, y) => (x - y) | 0),
  'i32.mul': row('i32 i32', 'i32', [0x6c], (x, y) => Math.imul(x, y)),
  'i32.and': row('i32 i32', 'i32', [0x71], (x, y) => x & y),
  'i32.or': row('i32 i32', 'i32', [0x72], (x, y) => x | y),
  'i32.xor': row('i32 i32', 'i32', [0x73], (x, y) => x ^ y),
  'i32.shl': row('i32 i32', 'i32', [0x74], (x, y) => x << y),
  'i32.shr_s': row('i32 i32', 'i32', [0x75], (x, y) => x >> y),
  'i32.shr_u': row('i32 i32', 'i32', [0x76], (x, y) => (x >>> y) | 0),
  'i32.rotl': row('i32 i32', 'i32', [0x77], (x, y) => (x << y) | (x >>> -y)),
  'i32.rotr': row('i32 i32', 'i32', [0x78], (x, y) => (x >>> y) | (x << -y)),
  'i32.clz': row('i32', 'i32', [0x67], (x) => Math.clz32(x)),
  'i32.popcnt': row('i32', 'i32', [0x69], popcnt32),
  'i32.eqz': row('i32', 'i32', [0x45], (x) => bit(x === 0)),
  'i32.eq': row('i32 i32', 'i32', [0x46], (x, y) => bit(x === y)),
  'i32.ne': row('i32 i32', 'i32', [0x47], (x, y) => bit(x !== y)),
  'i32.lt_s': row('i32 i32', 'i32', [0x48], (x, y) => bit(x < y)),
  'i32.lt_u': row('i32 i32', 'i32', [0x49], (x, y) => bit(x >>> 0 < y >>> 0)),
  'i32.gt_s': row('i32 i32', 'i32', [0x4a], (x, y) => bit(x > y)),
  'i32.gt_u': row('i32 i32', 'i32', [0x4b], (x, y) => bit(x >>> 0 > y >>> 0)),
  'i32.le_s': row('i32 i32', 'i32', [0x4c], (x, y) => bit(x <= y)),
  'i32.le_u': row('i32 i32', 'i32', [0x4d], (x, y) => bit(x >>> 0 <= y >>> 0)),
  'i32.ge_s': row('i32 i32', 'i32', [0x4e], (x, y) => bit(x >= y)),
  'i32.ge_u': row('i32 i32', 'i32', [0x4f], (x, y) => bit(x >>> 0 >= y >>> 0)),

  // Between widths and kinds.
  'i32.wrap_i64': row('i64', 'i32', [0xa7], (x) => Number(BigInt.asIntN(32, x))),
  'i64.extend_i32_s': row('i32', 'i64', [0xac], (x) => u64(BigInt(x))),
  'i64.extend_i32_u': row('i32', 'i64', [0xad], (x) => BigInt(x >>> 0)),
  'f32.reinterpret_i32': row('i32', 'f32', [0xbe], (x) => {
    bits.setInt32(0, x);
    return bits.getFloat32(0);
  }),
  'f64.reinterpret_i64': row('i64', 'f64', [0xbf], (x) => {
    bits.setBigUint64(0, x);
    return bits.getFloat64(0);
  }),
  'i32.reinterpret_f32': row('f32', 'i32', [0xbc], (x) => {
    bits.setFloat32(0, x);
    return bits.getInt32(0);
  }),
  'i64.reinterpret_f64': row('f64', 'i64', [0xbd], (x) => {
    bits.setFloat64(0, x);
    return bits.getBigUint64(0);
  }),

  // Floating point, round to nearest even. NaN results carry no promise of payload: semantics test for them.
  'f64.add': row('f64 f64', 'f64', [0xa0], (x, y) => x + y),
  'f64.sub': row('f64 f64', 'f64', [0xa1], (x, y) => x - y),
  'f64.mul': row('f64 f64', 'f64', [0xa2], (x, y) => x * y),
  'f64.div': row('f64 f64', 'f64', [0xa3], (x, y) => x / y),
  'f64.sqrt': row('f64', 'f64', [0x9f], (x) => Math.sqrt(x)),
  'f64.abs': row('f64', 'f64', [0x99], (x) => Math.abs(x)),
  'f64.neg': row('f64', 'f64', [0x9a], (x) => -x),
  'f64.eq': row('f64 f64', 'i32', [0x61], (x, y) => bit(x === y)),
  'f64.ne': row('f64 f64', 'i32', [0x62], (x, y) => bit(x !== y)),
  'f64.lt': row('f64 f64', 'i32', [0x63], (x, y) => bit(x < y)),
  'f64.gt': row('f64 f64', 'i32', [0x64], (x, y) => bit(x > y)),
  'f64.le': row('f64 f64', 'i32', [0x65], (x, y) => bit(x <= y)),
  'f64.ge': row('f64 f64', 'i32', [0x66], (x, y) => bit(x >= y)),
  'f32.add': row('f32 f32', 'f32', [0x92], (x, y) => Math.fround(x + y)),
  'f32.sub': row('f32 f32', 'f32', [0x93], (x, y) => Math.fround(x - y)),
  'f32.mul': row('f32 f32', 'f32', [0x94], (x, y) => Math.fround(x * y)),
  'f32.div': row('f32 f32', 'f32', [0x95], (x, y) => Math.fround(x / y)),
  'f32.sqrt': row('f32', 'f32', [0x91], (x) => Math.fround(Math.sqrt(x))),
  'f32.abs': row('f32', 'f32', [0x8b], (x) => Math.abs(x)),
  'f32.neg': row('f32', 'f32', [0x8c], (x) => -x),
  'f32.eq': row('f32 f32', 'i32', [0x5b], (x, y) => bit(x === y)),
  'f32.ne': row('f32 f32', 'i32', [0x5c], (x, y) => bit(x !== y)),
  'f32.lt': row('f32 f32', 'i32', [0x5d], (x, y) => bit(x < y)),
  'f32.gt': row('f32 f32', 'i32', [0x5e], (x, y) => bit(x > y)),
  'f32.le': row('f32 f32', 'i32', [0x5f], (x, y) => bit(x <= y)),
  'f32.ge': row('f32 f32', 'i32', [0x60], (x, y) => bit(x >= y)),
  'f64.promote_f32': row('f32', 'f64', [0xbb], (x) => x),
  'f32.demote_f64': row('f64', 'f32', [0xb6], (x) => Math.fround(x)),
  'f64.convert_i32_s': row('i32', 'f64', [0xb7], (x) => x),
  'f64.convert_i64_s': row('i64', 'f64', [0xb9], (x) => Number(s64(x))),
  'f64.convert_i64_u': row('i64', 'f64', [0xba], (x) => Number(x)),
  'f32.convert_i32_s': row('i32', 'f32', [0xb2], (x) => Math.fround(x)),
  // Rounded once, from 64 bits to 24: bigint to number would round twice.
  'f32.convert_i64_s': row('i64', 'f32', [0xb4], (x) => roundToFloat32(s64(x))),
  // Saturating; semantics test the range before, so that only in-range results are used.
  'i64.trunc_sat_f64_s': row('f64', 'i64', [0xfc, 6], (x) => saturate(x, 64)),
  'i64.trunc_sat_f64_u': row('f64', 'i64', [0xfc, 7], (x: number) =>
    Number.isNaN(x) || x <= 0 ? 0n : x >= 2 ** 64 ? 2n ** 64n - 1n : BigInt(Math.trunc(x)),
  ),
  'i32.trunc_sat_f64_s': row('f64', 'i32', [0xfc, 2], (x) => Number(s64(saturate(x, 32)))),
  'f64.nearest': row('f64', 'f64', [0x9e], roundHalfEven),
  'f64.floor': row('f64', 'f64', [0x9c], (x) => Math.floor(x)),
  'f64.ceil': row('f64', 'f64', [0x9b], (x) => Math.ceil(x)),
  'f64.trunc': row('f64', 'f64', [0x9d], (x) => Math.trunc(x)),
  'f32.nearest': row('f32', 'f32', [0x90], roundHalfEven),
  'f32.floor': row('f32', 'f32', [0x8e], (x) => Math.floor(x)),
  'f32.ceil': row('f32', 'f32', [0x8d], (x) => Math.ceil(x)),
  'f32.trunc': row('f32', 'f32', [0x8f], (x) => Math.trunc(x)),
};

function roundHalfEven(x: number): number {
  if (!Number.isFinite(x)) return x;
  const floor = Math.floor(x);
  const rest = x - floor;
  const rounded = rest < 0.5 ? floor : rest > 0.5 ? floor + 1 : floor % 2 === 0 ? floor : floor + 1;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

function saturate(x: number, width: number): bigint {
  if (Number.isNaN(x)) return 0n;
  const limit = 1n << BigInt(width - 1);
  if (x >= 2 ** (width - 1)) return u64(limit - 1n);
  if (x < -(2 ** (width - 1))) return u64(-limit);
  return u64(BigInt(Math.trunc(x)));
}

function roundToFloat32(x: bigint): number {
  const negative = x < 0n;
  const magnitude = negative ? -x : x;
  const excess = magnitude.toString(2).length - 24;
  if (magnitude === 0n || excess <= 0) return Number(x);
  const shift = BigInt(excess);
  const half = 1n << (shift - 1n);
  let quotient = magnitude >> shift;
  const rest = magnitude & ((1n << shift) - 1n);
  if (rest > half || (rest === half && (quotient & 1n) === 1n)) quotient += 1n;
  const rounded = Number(quotient << shift);
  return negative ? -rounded : rounded;
}

/** Every pure op of the intermediate form. Each means the same to the reference and to WebAssembly. */
export const ops: Readonly<Record<string, OpRow>> = { ...scalarOps, ...vectorOps };

/** The row of `name`; throws for a name that is not in the table. */
export function opRow(name: string): OpRow {
  const found = ops[name];
  if (found === undefined) throw new Error(`Vivarium internal error: no IR op ${name}`);
  return found;
}
