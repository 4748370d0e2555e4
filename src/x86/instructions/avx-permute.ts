import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { STATE, xmmOffset } from '../state.ts';
import { AVX, AVX_256, AVX_AVX2, AVX2, AVX2_256, type Gates, vex, vexForm } from './avx-shared.ts';
import { blendBySign, blendImmediate, testVector } from './sse-blend.ts';
import { absoluteRows } from './sse-integer.ts';
import {
  constant,
  halves,
  lane64,
  lanePattern,
  lanewise,
  lanewiseUnary,
  shuffle,
  threeOperands,
  writeHalves,
  zero,
} from './sse-shared.ts';
import { byteImmediate, shuffleDoublewords } from './sse-shuffle.ts';

/**
 * AVX and AVX2 instructions without a legacy twin that move lanes: permutations, broadcasts, insertion and
 * extraction of halves, blends, and shifts by a count for each lane. SDM Vol. 2C "VBROADCAST" to
 * "VZEROUPPER".
 */

const W0 = (gates: Gates): Gates => ({ ...gates, w: 'W0' });
const W1 = (gates: Gates): Gates => ({ ...gates, w: 'W1' });

/** Byte numbers for 32-bit lanes chosen by the low two bits of each lane of `index`. */
function doublewordNumbers(b: Semantics, index: Value): Value {
  const low = b.pure('v128.and', index, constant(b, 32, 3));
  const scaled = b.pure('i32x4.mul', low, constant(b, 32, 0x04040404));
  return b.pure('i32x4.add', scaled, constant(b, 32, 0x03020100));
}

/** VPERMILPS by a vector. */
function permuteSingles(b: Semantics, operands: readonly Operand[]): void {
  lanewise(b, operands, (_b, left, right) =>
    b.pure('i8x16.swizzle', left, doublewordNumbers(b, right)),
  );
}

/** Lanes of `vector` chosen by a mask: its high quadword where the mask is set, else its low one. */
function chooseQuadwords(b: Semantics, vector: Value, high: Value): Value {
  const upper = shuffle(b, vector, vector, lanePattern(8, [1, 1]));
  const lower = shuffle(b, vector, vector, lanePattern(8, [0, 0]));
  return b.pure('v128.bitselect', upper, lower, high);
}

/** VPERMILPD by a vector: bit 1 of each quadword. */
function permuteDoubles(b: Semantics, operands: readonly Operand[]): void {
  const two = constant(b, 64, 2);
  lanewise(b, operands, (_b, left, right) =>
    chooseQuadwords(b, left, b.pure('i64x2.eq', b.pure('v128.and', right, two), two)),
  );
}

/** VPERMILPD by an immediate: one bit for each quadword. */
function permuteDoublesImmediate(b: Semantics, operands: readonly Operand[]): void {
  const [destination, source, immediate] = operands as [Operand, Operand, Operand];
  const imm = b.widen(byteImmediate(b, immediate));
  const values = halves(b).map((at, half) => {
    const bits = constant(b, 64, 1 << (2 * half), 2 << (2 * half));
    const chosen = b.pure('v128.and', b.pure('i64x2.splat', imm), bits);
    return chooseQuadwords(b, source.readVector(at), b.pure('i64x2.eq', chosen, bits));
  });
  writeHalves(b, destination, values);
}

/** VPERMD, VPERMPS: any of eight lanes. */
function permuteAll(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left: index, right: source } = threeOperands(b, operands);
  const low = source.readVector(0);
  const high = source.readVector(16);
  const four = constant(b, 32, 4);
  const values = halves(b).map((at) => {
    const lanes = index.readVector(at);
    const numbers = doublewordNumbers(b, lanes);
    const upper = b.pure('i32x4.eq', b.pure('v128.and', lanes, four), four);
    return b.pure(
      'v128.bitselect',
      b.pure('i8x16.swizzle', high, numbers),
      b.pure('i8x16.swizzle', low, numbers),
      upper,
    );
  });
  writeHalves(b, destination, values);
}

/** VPERMQ, VPERMPD: any of four quadwords by two immediate bits each. */
function permuteQuadwords(b: Semantics, operands: readonly Operand[]): void {
  const [destination, source, immediate] = operands as [Operand, Operand, Operand];
  const imm = byteImmediate(b, immediate);
  const vectors = [source.readVector(0), source.readVector(16)] as const;
  const lanes = vectors.flatMap((vector) => [lane64(b, vector, 0), lane64(b, vector, 1)]);
  const chosen = (place: number): Value => {
    const bit = (at: number): Value => b.and(b.shrU(imm, b.i32(2 * place + at)), b.i32(1));
    const low = b.select(bit(0), lanes[1] as Value, lanes[0] as Value);
    const high = b.select(bit(0), lanes[3] as Value, lanes[2] as Value);
    return b.select(bit(1), high, low);
  };
  const pair = (place: number): Value =>
    b.pureWith('i64x2.replace_lane', 1, b.pure('i64x2.splat', chosen(place)), chosen(place + 1));
  writeHalves(b, destination, [pair(0), pair(2)]);
}

/** VPERM2F128, VPERM2I128: each half one of the four, or zero. */
function permuteHalves(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right, rest } = threeOperands(b, operands);
  const imm = byteImmediate(b, rest[0] as Operand);
  const sources = [left, right].flatMap((operand) => [
    operand.readVector(0),
    operand.readVector(16),
  ]);
  const bit = (at: number): Value => b.and(b.shrU(imm, b.i32(at)), b.i32(1));
  const chosen = (at: number): Value => {
    const first = b.select(bit(at), sources[1] as Value, sources[0] as Value);
    const second = b.select(bit(at), sources[3] as Value, sources[2] as Value);
    return b.select(bit(at + 3), zero(b), b.select(bit(at + 1), second, first));
  };
  writeHalves(b, destination, [chosen(0), chosen(4)]);
}

/** VINSERTF128, VINSERTI128. */
function insertHalf(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right, rest } = threeOperands(b, operands);
  const upper = b.and(byteImmediate(b, rest[0] as Operand), b.i32(1));
  const value = right.readVector();
  const low = left.readVector(0);
  const high = left.readVector(16);
  writeHalves(b, destination, [b.select(upper, low, value), b.select(upper, value, high)]);
}

/** VEXTRACTF128, VEXTRACTI128. */
function extractHalf(b: Semantics, [to, source, immediate]: readonly Operand[]): void {
  const from = source as Operand;
  const upper = b.and(byteImmediate(b, immediate as Operand), b.i32(1));
  const value = b.select(upper, from.readVector(16), from.readVector(0));
  writeHalves(b, to as Operand, [value]);
}

/** One element in every lane. */
function broadcast(width: 8 | 16 | 32 | 64) {
  const shape = { 8: 'i8x16', 16: 'i16x8', 32: 'i32x4', 64: 'i64x2' }[width];
  return (b: Semantics, [destination, source]: readonly Operand[]): void => {
    const element = (source as Operand).readElement(width);
    const value = b.pure(`${shape}.splat`, width === 64 ? element : b.wrap(element));
    writeHalves(
      b,
      destination as Operand,
      halves(b).map(() => value),
    );
  };
}

/** VBROADCASTF128, VBROADCASTI128. */
function broadcastHalf(b: Semantics, [destination, source]: readonly Operand[]): void {
  const value = (source as Operand).readVector();
  writeHalves(b, destination as Operand, [value, value]);
}

/** VBLENDVPS, VBLENDVPD, VPBLENDVB: the mask is a register of its own. */
function blendVariable(width: 8 | 32 | 64) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const [destination, left, right, mask] = operands as [Operand, Operand, Operand, Operand];
    const values = halves(b).map((at) =>
      blendBySign(b, width, left.readVector(at), right.readVector(at), mask.readVector(at)),
    );
    writeHalves(b, destination, values);
  };
}

/** VPSLLVD and kin: a count for each lane; one that is too large gives zero, or copies of the sign. */
function shiftVariable(kind: 'shl' | 'shr_u' | 'shr_s', width: 32 | 64) {
  const shape = width === 32 ? 'i32x4' : 'i64x2';
  const type = width === 32 ? 'i32' : 'i64';
  return (b: Semantics, operands: readonly Operand[]): void => {
    const number = (value: number): Value => (width === 32 ? b.i32(value) : b.i64(value));
    lanewise(b, operands, (_b, left, right) => {
      let result = left;
      for (let lane = 0; lane < 128 / width; lane++) {
        const value = b.pureWith(`${shape}.extract_lane`, lane, left);
        const count = b.pureWith(`${shape}.extract_lane`, lane, right);
        const small = b.ltU(count, number(width));
        const shifted =
          kind === 'shr_s'
            ? b.pure(`${type}.shr_s`, value, b.select(small, count, number(width - 1)))
            : b.select(small, b.pure(`${type}.${kind}`, value, count), number(0));
        result = b.pureWith(`${shape}.replace_lane`, lane, result, shifted);
      }
      return result;
    });
  };
}

/** VZEROUPPER (VEX.128) and VZEROALL (VEX.256). Outside 64-bit mode there are eight registers. */
function zeroRegisters(b: Semantics): void {
  const count = b.shape.mode === 64 ? 16 : 8;
  const all = b.shape.vectorLength === 256;
  for (let index = 0; index < count; index++) {
    const offset = xmmOffset(index);
    if (all) b.writeState({ kind: 'fixed', offset }, 'v128', zero(b));
    b.writeState({ kind: 'fixed', offset: offset + 16 }, 'v128', zero(b));
  }
}

/** Loads of the lanes whose mask has its sign bit set; the others are zero and not touched. */
function maskedLoad(width: 32 | 64) {
  return (b: Semantics, [destination, mask, source]: readonly Operand[]): void => {
    const at = halves(b);
    for (const offset of at) {
      const value = (mask as Operand).readVector(offset);
      b.writeState({ kind: 'fixed', offset: STATE.vectorScratch + 32 + offset }, 'v128', value);
    }
    const bytes = b.i32(16 * at.length);
    b.helper('maskedLoadLanes', (source as Operand).address(), b.i32(width), bytes);
    const values = at.map((offset) =>
      b.readState({ kind: 'fixed', offset: STATE.vectorScratch + offset }, 'v128'),
    );
    writeHalves(b, destination as Operand, values);
  };
}

function maskedStore(width: 32 | 64) {
  const shape = width === 32 ? 'i32x4' : 'i64x2';
  return (b: Semantics, [destination, mask, source]: readonly Operand[]): void => {
    const at = halves(b);
    for (const offset of at) {
      const lanes = b.pure(
        `${shape}.shr_s`,
        (mask as Operand).readVector(offset),
        b.i32(width - 1),
      );
      const value = (source as Operand).readVector(offset);
      b.writeState({ kind: 'fixed', offset: STATE.vectorScratch + offset }, 'v128', value);
      b.writeState({ kind: 'fixed', offset: STATE.vectorScratch + 32 + offset }, 'v128', lanes);
    }
    b.helper('maskedStoreLanes', (destination as Operand).address(), b.i32(16 * at.length));
  };
}

const broadcasts: Instruction[] = [
  define(
    'vbroadcastss',
    [...vex('66 0F 38 18 /r', 'Vx Md', W0(AVX)), ...vex('66 0F 38 18 /r', 'Vx Ud', W0(AVX2))],
    broadcast(32),
  ),
  define(
    'vbroadcastsd',
    [
      ...vex('66 0F 38 19 /r', 'Vx Mq', W0(AVX_256)),
      ...vex('66 0F 38 19 /r', 'Vx Uq', W0(AVX2_256)),
    ],
    broadcast(64),
  ),
  define('vbroadcastf128', vex('66 0F 38 1A /r', 'Vx Mdq', W0(AVX_256)), broadcastHalf),
  define('vbroadcasti128', vex('66 0F 38 5A /r', 'Vx Mdq', W0(AVX2_256)), broadcastHalf),
  define('vpbroadcastb', vex('66 0F 38 78 /r', 'Vx Wb', W0(AVX2)), broadcast(8)),
  define('vpbroadcastw', vex('66 0F 38 79 /r', 'Vx Ww', W0(AVX2)), broadcast(16)),
  define('vpbroadcastd', vex('66 0F 38 58 /r', 'Vx Wd', W0(AVX2)), broadcast(32)),
  define('vpbroadcastq', vex('66 0F 38 59 /r', 'Vx Wq', W0(AVX2)), broadcast(64)),
];

const permutations: Instruction[] = [
  define('vpermilps', vex('66 0F 38 0C /r', 'Vx Hx Wx', W0(AVX)), permuteSingles),
  define('vpermilps', vex('66 0F 3A 04 /r ib', 'Vx Wx Ib', W0(AVX)), shuffleDoublewords),
  define('vpermilpd', vex('66 0F 38 0D /r', 'Vx Hx Wx', W0(AVX)), permuteDoubles),
  define('vpermilpd', vex('66 0F 3A 05 /r ib', 'Vx Wx Ib', W0(AVX)), permuteDoublesImmediate),
  define('vpermd', vex('66 0F 38 36 /r', 'Vx Hx Wx', W0(AVX2_256)), permuteAll),
  define('vpermps', vex('66 0F 38 16 /r', 'Vx Hx Wx', W0(AVX2_256)), permuteAll),
  define('vpermq', vex('66 0F 3A 00 /r ib', 'Vx Wx Ib', AVX2_256), permuteQuadwords),
  define('vpermpd', vex('66 0F 3A 01 /r ib', 'Vx Wx Ib', AVX2_256), permuteQuadwords),
  define('vperm2f128', vex('66 0F 3A 06 /r ib', 'Vx Hx Wx Ib', W0(AVX_256)), permuteHalves),
  define('vperm2i128', vex('66 0F 3A 46 /r ib', 'Vx Hx Wx Ib', W0(AVX2_256)), permuteHalves),
  define('vinsertf128', vex('66 0F 3A 18 /r ib', 'Vx Hx Wdq Ib', W0(AVX_256)), insertHalf),
  define('vinserti128', vex('66 0F 3A 38 /r ib', 'Vx Hx Wdq Ib', W0(AVX2_256)), insertHalf),
  define('vextractf128', vex('66 0F 3A 19 /r ib', 'Wdq Vx Ib', W0(AVX_256)), extractHalf),
  define('vextracti128', vex('66 0F 3A 39 /r ib', 'Wdq Vx Ib', W0(AVX2_256)), extractHalf),
];

const blends: Instruction[] = [
  define('vpblendd', vex('66 0F 3A 02 /r ib', 'Vx Hx Wx Ib', W0(AVX2)), blendImmediate(32)),
  define('vblendvps', vex('66 0F 3A 4A /r /is4', 'Vx Hx Wx Lx', W0(AVX)), blendVariable(32)),
  define('vblendvpd', vex('66 0F 3A 4B /r /is4', 'Vx Hx Wx Lx', W0(AVX)), blendVariable(64)),
  define('vpblendvb', vex('66 0F 3A 4C /r /is4', 'Vx Hx Wx Lx', W0(AVX_AVX2)), blendVariable(8)),
  define('vtestps', vex('66 0F 38 0E /r', 'Vx Wx', W0(AVX)), testVector(32)),
  define('vtestpd', vex('66 0F 38 0F /r', 'Vx Wx', W0(AVX)), testVector(64)),
];

const shifts: Instruction[] = [
  define('vpsllvd', vex('66 0F 38 47 /r', 'Vx Hx Wx', W0(AVX2)), shiftVariable('shl', 32)),
  define('vpsllvq', vex('66 0F 38 47 /r', 'Vx Hx Wx', W1(AVX2)), shiftVariable('shl', 64)),
  define('vpsrlvd', vex('66 0F 38 45 /r', 'Vx Hx Wx', W0(AVX2)), shiftVariable('shr_u', 32)),
  define('vpsrlvq', vex('66 0F 38 45 /r', 'Vx Hx Wx', W1(AVX2)), shiftVariable('shr_u', 64)),
  define('vpsravd', vex('66 0F 38 46 /r', 'Vx Hx Wx', W0(AVX2)), shiftVariable('shr_s', 32)),
];

const masked: Instruction[] = [
  define('vmaskmovps', vex('66 0F 38 2C /r', 'Vx Hx Mx', W0(AVX)), maskedLoad(32)),
  define('vmaskmovpd', vex('66 0F 38 2D /r', 'Vx Hx Mx', W0(AVX)), maskedLoad(64)),
  define('vmaskmovps', vex('66 0F 38 2E /r', 'Mx Hx Vx', W0(AVX)), maskedStore(32)),
  define('vmaskmovpd', vex('66 0F 38 2F /r', 'Mx Hx Vx', W0(AVX)), maskedStore(64)),
  define('vpmaskmovd', vex('66 0F 38 8C /r', 'Vx Hx Mx', W0(AVX2)), maskedLoad(32)),
  define('vpmaskmovq', vex('66 0F 38 8C /r', 'Vx Hx Mx', W1(AVX2)), maskedLoad(64)),
  define('vpmaskmovd', vex('66 0F 38 8E /r', 'Mx Hx Vx', W0(AVX2)), maskedStore(32)),
  define('vpmaskmovq', vex('66 0F 38 8E /r', 'Mx Hx Vx', W1(AVX2)), maskedStore(64)),
];

const absolutes = absoluteRows.map(({ name, opcode, lanes }) =>
  define(`v${name}`, vex(`66 ${opcode} /r`, 'Vx Wx', AVX_AVX2), (b, operands) =>
    lanewiseUnary(b, operands, (_b, source) => lanes(b, source, source)),
  ),
);

const zeroing: Instruction[] = [
  define('vzeroupper', [vexForm(128, 'NP 0F 77', '', 'avx', undefined)], zeroRegisters),
  define('vzeroall', [vexForm(256, 'NP 0F 77', '', 'avx', undefined)], zeroRegisters),
];

export const avxPermuteInstructions: readonly Instruction[] = [
  ...broadcasts,
  ...permutations,
  ...blends,
  ...shifts,
  ...masked,
  ...absolutes,
  ...zeroing,
];
