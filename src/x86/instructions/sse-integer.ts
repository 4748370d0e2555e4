import type { Value } from '../../ir/mod.ts';
import type { Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import {
  constant,
  exclusiveOr,
  type LaneRow,
  type Lanes,
  laneInstruction,
  lanePattern,
  laneRow,
  shuffle,
} from './sse-shared.ts';

/**
 * Packed integer arithmetic, comparison and logic in which each lane depends on the same lane of the
 * sources. SDM Vol. 2B "PADDB" to "PXOR"; APM Vol. 4.
 */

/** A lane function that is one op of the table. */
const op =
  (name: string): Lanes =>
  (b, left, right) =>
    b.pure(name, left, right);

/** Source lane order of PANDN: not the first, and the second. */
const andNot: Lanes = (b, left, right) => b.pure('v128.andnot', right, left);

/** Upper 16 bits of 16-bit products. */
const multiplyHigh =
  (suffix: 's' | 'u'): Lanes =>
  (b, left, right) => {
    const low = b.pure(`i32x4.extmul_low_i16x8_${suffix}`, left, right);
    const high = b.pure(`i32x4.extmul_high_i16x8_${suffix}`, left, right);
    return shuffle(b, low, high, lanePattern(2, [1, 3, 5, 7, 9, 11, 13, 15]));
  };

/** 64-bit products of the even 32-bit lanes. */
const multiplyEven =
  (suffix: 's' | 'u'): Lanes =>
  (b, left, right) => {
    const even = lanePattern(4, [0, 2, 0, 2]);
    return b.pure(
      `i64x2.extmul_low_i32x4_${suffix}`,
      shuffle(b, left, left, even),
      shuffle(b, right, right, even),
    );
  };

/** PMULHRSW: only -1 × -1 differs from the op of the table, which saturates. */
const multiplyRound: Lanes = (b, left, right) => {
  const product = b.pure('i16x8.q15mulr_sat_s', left, right);
  const least = constant(b, 16, 0x8000);
  const both = b.pure(
    'v128.and',
    b.pure('i16x8.eq', left, least),
    b.pure('i16x8.eq', right, least),
  );
  return b.pure('v128.xor', product, both);
};

/** PMADDUBSW: unsigned bytes of the first times signed bytes of the second, neighbours added with saturation. */
const multiplyAddBytes: Lanes = (b, left, right) => {
  const eight = b.i32(8);
  const even = b.pure(
    'i16x8.mul',
    b.pure('v128.and', left, constant(b, 16, 0xff)),
    b.pure('i16x8.shr_s', b.pure('i16x8.shl', right, eight), eight),
  );
  const odd = b.pure(
    'i16x8.mul',
    b.pure('i16x8.shr_u', left, eight),
    b.pure('i16x8.shr_s', right, eight),
  );
  return b.pure('i16x8.add_sat_s', even, odd);
};

/** PSADBW: sums of the absolute differences of eight bytes. */
const sumOfDifferences: Lanes = (b, left, right) => {
  const difference = b.pure(
    'v128.or',
    b.pure('i8x16.sub_sat_u', left, right),
    b.pure('i8x16.sub_sat_u', right, left),
  );
  const words = b.pure('i16x8.extadd_pairwise_i8x16_u', difference);
  const doubles = b.pure('i32x4.extadd_pairwise_i16x8_u', words);
  return b.pure(
    'i64x2.add',
    b.pure('i64x2.shr_u', doubles, b.i32(32)),
    b.pure('v128.and', doubles, constant(b, 64, 0xffff_ffffn)),
  );
};

/** PSIGN: the first source, negated, kept or zeroed by the sign of the second. */
const applySign =
  (shape: string): Lanes =>
  (b, left, right) => {
    const none = constant(b, 64, 0);
    const negative = b.pure(`${shape}.lt_s`, right, none);
    const negated = b.pure(`${shape}.sub`, b.pure('v128.xor', left, negative), negative);
    return b.pure('v128.andnot', negated, b.pure(`${shape}.eq`, right, none));
  };

/** Absolute value of the second source. */
const absolute =
  (shape: string): Lanes =>
  (b: Semantics, _left: Value, right: Value) =>
    b.pure(`${shape}.abs`, right);

/** Rows with an MMX form of the original MMX set, then of SSE, SSE2, SSSE3; then vector-only ones. */
export const integerRows: readonly LaneRow[] = [
  laneRow('pcmpgtb', '0F 64', 'sse2', 'mmx', op('i8x16.gt_s')),
  laneRow('pcmpgtw', '0F 65', 'sse2', 'mmx', op('i16x8.gt_s')),
  laneRow('pcmpgtd', '0F 66', 'sse2', 'mmx', op('i32x4.gt_s')),
  laneRow('pcmpeqb', '0F 74', 'sse2', 'mmx', op('i8x16.eq')),
  laneRow('pcmpeqw', '0F 75', 'sse2', 'mmx', op('i16x8.eq')),
  laneRow('pcmpeqd', '0F 76', 'sse2', 'mmx', op('i32x4.eq')),
  laneRow('pmullw', '0F D5', 'sse2', 'mmx', op('i16x8.mul')),
  laneRow('psubusb', '0F D8', 'sse2', 'mmx', op('i8x16.sub_sat_u')),
  laneRow('psubusw', '0F D9', 'sse2', 'mmx', op('i16x8.sub_sat_u')),
  laneRow('pand', '0F DB', 'sse2', 'mmx', op('v128.and')),
  laneRow('paddusb', '0F DC', 'sse2', 'mmx', op('i8x16.add_sat_u')),
  laneRow('paddusw', '0F DD', 'sse2', 'mmx', op('i16x8.add_sat_u')),
  laneRow('pandn', '0F DF', 'sse2', 'mmx', andNot),
  laneRow('pmulhw', '0F E5', 'sse2', 'mmx', multiplyHigh('s')),
  laneRow('psubsb', '0F E8', 'sse2', 'mmx', op('i8x16.sub_sat_s')),
  laneRow('psubsw', '0F E9', 'sse2', 'mmx', op('i16x8.sub_sat_s')),
  laneRow('por', '0F EB', 'sse2', 'mmx', op('v128.or')),
  laneRow('paddsb', '0F EC', 'sse2', 'mmx', op('i8x16.add_sat_s')),
  laneRow('paddsw', '0F ED', 'sse2', 'mmx', op('i16x8.add_sat_s')),
  laneRow('pxor', '0F EF', 'sse2', 'mmx', exclusiveOr),
  laneRow('pmaddwd', '0F F5', 'sse2', 'mmx', op('i32x4.dot_i16x8_s')),
  laneRow('psubb', '0F F8', 'sse2', 'mmx', op('i8x16.sub')),
  laneRow('psubw', '0F F9', 'sse2', 'mmx', op('i16x8.sub')),
  laneRow('psubd', '0F FA', 'sse2', 'mmx', op('i32x4.sub')),
  laneRow('paddb', '0F FC', 'sse2', 'mmx', op('i8x16.add')),
  laneRow('paddw', '0F FD', 'sse2', 'mmx', op('i16x8.add')),
  laneRow('paddd', '0F FE', 'sse2', 'mmx', op('i32x4.add')),

  laneRow('pminub', '0F DA', 'sse2', 'sse', op('i8x16.min_u')),
  laneRow('pmaxub', '0F DE', 'sse2', 'sse', op('i8x16.max_u')),
  laneRow('pavgb', '0F E0', 'sse2', 'sse', op('i8x16.avgr_u')),
  laneRow('pavgw', '0F E3', 'sse2', 'sse', op('i16x8.avgr_u')),
  laneRow('pmulhuw', '0F E4', 'sse2', 'sse', multiplyHigh('u')),
  laneRow('pminsw', '0F EA', 'sse2', 'sse', op('i16x8.min_s')),
  laneRow('pmaxsw', '0F EE', 'sse2', 'sse', op('i16x8.max_s')),
  laneRow('psadbw', '0F F6', 'sse2', 'sse', sumOfDifferences),

  laneRow('paddq', '0F D4', 'sse2', 'sse2', op('i64x2.add')),
  laneRow('psubq', '0F FB', 'sse2', 'sse2', op('i64x2.sub')),
  laneRow('pmuludq', '0F F4', 'sse2', 'sse2', multiplyEven('u')),

  laneRow('pmaddubsw', '0F 38 04', 'ssse3', 'ssse3', multiplyAddBytes),
  laneRow('psignb', '0F 38 08', 'ssse3', 'ssse3', applySign('i8x16')),
  laneRow('psignw', '0F 38 09', 'ssse3', 'ssse3', applySign('i16x8')),
  laneRow('psignd', '0F 38 0A', 'ssse3', 'ssse3', applySign('i32x4')),
  laneRow('pmulhrsw', '0F 38 0B', 'ssse3', 'ssse3', multiplyRound),

  laneRow('pmuldq', '0F 38 28', 'sse4_1', undefined, multiplyEven('s')),
  laneRow('pcmpeqq', '0F 38 29', 'sse4_1', undefined, op('i64x2.eq')),
  laneRow('pcmpgtq', '0F 38 37', 'sse4_2', undefined, op('i64x2.gt_s')),
  laneRow('pminsb', '0F 38 38', 'sse4_1', undefined, op('i8x16.min_s')),
  laneRow('pminsd', '0F 38 39', 'sse4_1', undefined, op('i32x4.min_s')),
  laneRow('pminuw', '0F 38 3A', 'sse4_1', undefined, op('i16x8.min_u')),
  laneRow('pminud', '0F 38 3B', 'sse4_1', undefined, op('i32x4.min_u')),
  laneRow('pmaxsb', '0F 38 3C', 'sse4_1', undefined, op('i8x16.max_s')),
  laneRow('pmaxsd', '0F 38 3D', 'sse4_1', undefined, op('i32x4.max_s')),
  laneRow('pmaxuw', '0F 38 3E', 'sse4_1', undefined, op('i16x8.max_u')),
  laneRow('pmaxud', '0F 38 3F', 'sse4_1', undefined, op('i32x4.max_u')),
  laneRow('pmulld', '0F 38 40', 'sse4_1', undefined, op('i32x4.mul')),
];

/** PABSB, PABSW, PABSD: the destination is not a source. */
export const absoluteRows: readonly LaneRow[] = [
  laneRow('pabsb', '0F 38 1C', 'ssse3', 'ssse3', absolute('i8x16')),
  laneRow('pabsw', '0F 38 1D', 'ssse3', 'ssse3', absolute('i16x8')),
  laneRow('pabsd', '0F 38 1E', 'ssse3', 'ssse3', absolute('i32x4')),
];

export const sseIntegerInstructions: readonly Instruction[] = [...integerRows, ...absoluteRows].map(
  laneInstruction,
);
