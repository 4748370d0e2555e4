import type { OpRow } from './ops.ts';
import type { Type } from './types.ts';

/**
 * Vector rows of the op table: WebAssembly's fixed-width SIMD as far as instructions use it, evaluated
 * lane by lane on sixteen little-endian bytes.
 *
 * Left out: loads, stores and constants (nodes of their own) and lanes as f32 or f64 values, because a
 * JavaScript number does not keep the bits of a signalling NaN. NaN results of arithmetic promise no
 * payload. WebAssembly core specification, section 4.3.6 and "Vector Instructions" of chapter 5.
 */

type Vector = Uint8Array;
type IntegerShape = 8 | 16 | 32 | 64;
type FloatShape = 'f32' | 'f64';

const vectorType: Type = 'v128';

const viewOf = (bytes: Vector): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const mask = (width: IntegerShape): bigint => (1n << BigInt(width)) - 1n;
const signed = (width: IntegerShape, value: bigint): bigint => BigInt.asIntN(width, value);

/** Lane `index` of `bytes`, unsigned. */
function getLane(bytes: Vector, width: IntegerShape, index: number): bigint {
  let value = 0n;
  for (let i = width / 8 - 1; i >= 0; i--) {
    value = (value << 8n) | BigInt(bytes[(index * width) / 8 + i] as number);
  }
  return value;
}

/** Sets lane `index` to the low `width` bits of `value`. */
function setLane(bytes: Vector, width: IntegerShape, index: number, value: bigint): void {
  let rest = BigInt.asUintN(width, value);
  for (let i = 0; i < width / 8; i++) {
    bytes[(index * width) / 8 + i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

function lanes(width: IntegerShape, compute: (index: number) => bigint): Vector {
  const result = new Uint8Array(16);
  for (let i = 0; i < 128 / width; i++) setLane(result, width, i, compute(i));
  return result;
}

function clamp(value: bigint, low: bigint, high: bigint): bigint {
  return value < low ? low : value > high ? high : value;
}
const clampSigned = (width: IntegerShape, value: bigint): bigint =>
  clamp(value, -(1n << BigInt(width - 1)), (1n << BigInt(width - 1)) - 1n);
const clampUnsigned = (width: IntegerShape, value: bigint): bigint => clamp(value, 0n, mask(width));

/** 0xfd, then the opcode as unsigned LEB128. */
function encode(opcode: number): number[] {
  return opcode < 0x80 ? [0xfd, opcode] : [0xfd, (opcode & 0x7f) | 0x80, opcode >> 7];
}

function row(
  args: string,
  type: Type,
  opcode: number,
  evaluate: OpRow['evaluate'],
  lane?: OpRow['lane'],
): OpRow {
  const shape = { args: args.split(' ') as Type[], type, wasm: encode(opcode), evaluate };
  return lane === undefined ? shape : { ...shape, lane };
}

const table: Record<string, OpRow> = {};

type Lane1 = (x: bigint) => bigint;
type Lane2 = (x: bigint, y: bigint) => bigint;

/** One lane in, one lane out; the lane comes unsigned, or signed when `isSigned`. */
function unary(
  name: string,
  opcode: number,
  width: IntegerShape,
  isSigned: boolean,
  f: Lane1,
): void {
  table[name] = row('v128', vectorType, opcode, (x: Vector) =>
    lanes(width, (i) => f(isSigned ? signed(width, getLane(x, width, i)) : getLane(x, width, i))),
  );
}

function binary(
  name: string,
  opcode: number,
  width: IntegerShape,
  isSigned: boolean,
  f: Lane2,
): void {
  const get = (x: Vector, i: number): bigint =>
    isSigned ? signed(width, getLane(x, width, i)) : getLane(x, width, i);
  table[name] = row('v128 v128', vectorType, opcode, (x: Vector, y: Vector) =>
    lanes(width, (i) => f(get(x, i), get(y, i))),
  );
}

const shapeName: Record<IntegerShape, string> = {
  8: 'i8x16',
  16: 'i16x8',
  32: 'i32x4',
  64: 'i64x2',
};

// --- whole vectors

const bytewise = (f: (x: number, y: number) => number) => (x: Vector, y: Vector) =>
  x.map((value, i) => f(value, y[i] as number));
table['v128.not'] = row('v128', 'v128', 77, (x: Vector) => x.map((value) => ~value));
table['v128.and'] = row(
  'v128 v128',
  'v128',
  78,
  bytewise((x, y) => x & y),
);
table['v128.andnot'] = row(
  'v128 v128',
  'v128',
  79,
  bytewise((x, y) => x & ~y),
);
table['v128.or'] = row(
  'v128 v128',
  'v128',
  80,
  bytewise((x, y) => x | y),
);
table['v128.xor'] = row(
  'v128 v128',
  'v128',
  81,
  bytewise((x, y) => x ^ y),
);
table['v128.bitselect'] = row('v128 v128 v128', 'v128', 82, (x: Vector, y: Vector, c: Vector) =>
  x.map((value, i) => (value & (c[i] as number)) | ((y[i] as number) & ~(c[i] as number))),
);
table['v128.any_true'] = row('v128', 'i32', 83, (x: Vector) =>
  x.some((value) => value !== 0) ? 1 : 0,
);

// --- moving lanes

table['i8x16.shuffle'] = row(
  'v128 v128',
  'v128',
  13,
  (x: Vector, y: Vector, pattern: Vector) =>
    new Uint8Array(16).map((_, i) => {
      const from = pattern[i] as number;
      return (from < 16 ? x[from] : y[from - 16]) as number;
    }),
  'shuffle',
);
table['i8x16.swizzle'] = row('v128 v128', 'v128', 14, (x: Vector, pattern: Vector) =>
  pattern.map((from) => (from < 16 ? (x[from] as number) : 0)),
);

const scalarOf = (width: IntegerShape): Type => (width === 64 ? 'i64' : 'i32');
const toScalar = (width: IntegerShape, value: bigint): number | bigint =>
  width === 64 ? BigInt.asUintN(64, value) : Number(BigInt.asIntN(32, value));

function laneMoves(
  width: IntegerShape,
  splat: number,
  extract: number,
  extractU: number,
  replace: number,
) {
  const name = shapeName[width];
  const scalar = scalarOf(width);
  table[`${name}.splat`] = row(scalar, 'v128', splat, (x: number | bigint) =>
    lanes(width, () => BigInt(x)),
  );
  const get = (x: Vector, lane: number): number | bigint =>
    toScalar(width, signed(width, getLane(x, width, lane)));
  if (width < 32) {
    table[`${name}.extract_lane_s`] = row('v128', scalar, extract, get, 'lane');
    table[`${name}.extract_lane_u`] = row(
      'v128',
      scalar,
      extractU,
      (x: Vector, lane: number) => toScalar(width, getLane(x, width, lane)),
      'lane',
    );
  } else {
    table[`${name}.extract_lane`] = row('v128', scalar, extract, get, 'lane');
  }
  table[`${name}.replace_lane`] = row(
    `v128 ${scalar}`,
    'v128',
    replace,
    (x: Vector, value: number | bigint, lane: number) => {
      const result = x.slice();
      setLane(result, width, lane, BigInt(value));
      return result;
    },
    'lane',
  );
}
laneMoves(8, 15, 21, 22, 23);
laneMoves(16, 16, 24, 25, 26);
laneMoves(32, 17, 27, 27, 28);
laneMoves(64, 18, 29, 29, 30);

// --- comparisons: all ones or all zeros

const truth = (condition: boolean): bigint => (condition ? -1n : 0n);
function comparisons(width: 8 | 16 | 32, first: number): void {
  const name = shapeName[width];
  binary(`${name}.eq`, first, width, false, (x, y) => truth(x === y));
  binary(`${name}.ne`, first + 1, width, false, (x, y) => truth(x !== y));
  binary(`${name}.lt_s`, first + 2, width, true, (x, y) => truth(x < y));
  binary(`${name}.lt_u`, first + 3, width, false, (x, y) => truth(x < y));
  binary(`${name}.gt_s`, first + 4, width, true, (x, y) => truth(x > y));
  binary(`${name}.gt_u`, first + 5, width, false, (x, y) => truth(x > y));
  binary(`${name}.le_s`, first + 6, width, true, (x, y) => truth(x <= y));
  binary(`${name}.le_u`, first + 7, width, false, (x, y) => truth(x <= y));
  binary(`${name}.ge_s`, first + 8, width, true, (x, y) => truth(x >= y));
  binary(`${name}.ge_u`, first + 9, width, false, (x, y) => truth(x >= y));
}
comparisons(8, 35);
comparisons(16, 45);
comparisons(32, 55);
binary('i64x2.eq', 214, 64, false, (x, y) => truth(x === y));
binary('i64x2.ne', 215, 64, false, (x, y) => truth(x !== y));
binary('i64x2.lt_s', 216, 64, true, (x, y) => truth(x < y));
binary('i64x2.gt_s', 217, 64, true, (x, y) => truth(x > y));
binary('i64x2.le_s', 218, 64, true, (x, y) => truth(x <= y));
binary('i64x2.ge_s', 219, 64, true, (x, y) => truth(x >= y));

// --- integer arithmetic

// Math.min and Math.max do not take bigint.
const least: Lane2 = (x, y) => {
  if (x < y) return x;
  return y;
};
const greatest: Lane2 = (x, y) => {
  if (x > y) return x;
  return y;
};

/** The block of ops that every integer shape has; opcodes count from the shape's `abs`. */
function arithmetic(width: IntegerShape, first: number): void {
  const name = shapeName[width];
  unary(`${name}.abs`, first, width, true, (x) => (x < 0n ? -x : x));
  unary(`${name}.neg`, first + 1, width, false, (x) => -x);
  table[`${name}.all_true`] = row('v128', 'i32', first + 3, (x: Vector) => {
    for (let i = 0; i < 128 / width; i++) if (getLane(x, width, i) === 0n) return 0;
    return 1;
  });
  table[`${name}.bitmask`] = row('v128', 'i32', first + 4, (x: Vector) => {
    let bits = 0;
    for (let i = 0; i < 128 / width; i++) {
      if (getLane(x, width, i) >> BigInt(width - 1) !== 0n) bits |= 1 << i;
    }
    return bits;
  });
  // Shift counts are taken modulo the lane's width.
  const shift = (at: number, op: string, isSigned: boolean, f: Lane2): void => {
    table[`${name}.${op}`] = row('v128 i32', 'v128', first + at, (x: Vector, count: number) =>
      lanes(width, (i) => {
        const lane = getLane(x, width, i);
        return f(isSigned ? signed(width, lane) : lane, BigInt(count & (width - 1)));
      }),
    );
  };
  shift(11, 'shl', false, (x, count) => x << count);
  shift(12, 'shr_s', true, (x, count) => x >> count);
  shift(13, 'shr_u', false, (x, count) => x >> count);
  binary(`${name}.add`, first + 14, width, false, (x, y) => x + y);
  binary(`${name}.sub`, first + 17, width, false, (x, y) => x - y);
  if (width !== 8) binary(`${name}.mul`, first + 21, width, false, (x, y) => x * y);
  if (width !== 64) {
    binary(`${name}.min_s`, first + 22, width, true, least);
    binary(`${name}.min_u`, first + 23, width, false, least);
    binary(`${name}.max_s`, first + 24, width, true, greatest);
    binary(`${name}.max_u`, first + 25, width, false, greatest);
  }
  if (width < 32) {
    binary(`${name}.add_sat_s`, first + 15, width, true, (x, y) => clampSigned(width, x + y));
    binary(`${name}.add_sat_u`, first + 16, width, false, (x, y) => clampUnsigned(width, x + y));
    binary(`${name}.sub_sat_s`, first + 18, width, true, (x, y) => clampSigned(width, x - y));
    binary(`${name}.sub_sat_u`, first + 19, width, false, (x, y) => clampUnsigned(width, x - y));
    binary(`${name}.avgr_u`, first + 27, width, false, (x, y) => (x + y + 1n) >> 1n);
  }
}
arithmetic(8, 96);
arithmetic(16, 128);
arithmetic(32, 160);
arithmetic(64, 192);
unary('i8x16.popcnt', 98, 8, false, (x) =>
  BigInt([...x.toString(2)].filter((c) => c === '1').length),
);
binary('i16x8.q15mulr_sat_s', 130, 16, true, (x, y) => clampSigned(16, (x * y + 0x4000n) >> 15n));

// --- between lane widths

/** Narrows the lanes of both operands to half their width; they are read as signed. */
function narrow(width: 8 | 16, opcode: number, suffix: 's' | 'u'): void {
  const wide = (width * 2) as IntegerShape;
  const clampTo = suffix === 's' ? clampSigned : clampUnsigned;
  const half = 128 / wide;
  const name = `${shapeName[width]}.narrow_${shapeName[wide]}_${suffix}`;
  table[name] = row('v128 v128', 'v128', opcode, (x: Vector, y: Vector) =>
    lanes(width, (i) => clampTo(width, signed(wide, getLane(i < half ? x : y, wide, i % half)))),
  );
}
narrow(8, 101, 's');
narrow(8, 102, 'u');
narrow(16, 133, 's');
narrow(16, 134, 'u');

/** Widening moves and products of one half; opcodes in the order low_s, high_s, low_u, high_u. */
function widening(width: 16 | 32 | 64, extend: number, extmul: number): void {
  const from = (width / 2) as IntegerShape;
  const variants = [
    ['low', 's'],
    ['high', 's'],
    ['low', 'u'],
    ['high', 'u'],
  ] as const;
  variants.forEach(([half, suffix], k) => {
    const skip = half === 'high' ? 128 / width : 0;
    const get = (x: Vector, i: number): bigint => {
      const lane = getLane(x, from, i + skip);
      return suffix === 's' ? signed(from, lane) : lane;
    };
    const tail = `${half}_${shapeName[from]}_${suffix}`;
    table[`${shapeName[width]}.extend_${tail}`] = row('v128', 'v128', extend + k, (x: Vector) =>
      lanes(width, (i) => get(x, i)),
    );
    table[`${shapeName[width]}.extmul_${tail}`] = row(
      'v128 v128',
      'v128',
      extmul + k,
      (x: Vector, y: Vector) => lanes(width, (i) => get(x, i) * get(y, i)),
    );
  });
}
widening(16, 135, 156);
widening(32, 167, 188);
widening(64, 199, 220);

/** Sums of neighbouring lanes, in double width. */
function pairwise(width: 16 | 32, opcode: number, suffix: 's' | 'u'): void {
  const from = (width / 2) as IntegerShape;
  const get = (x: Vector, i: number): bigint =>
    suffix === 's' ? signed(from, getLane(x, from, i)) : getLane(x, from, i);
  const name = `${shapeName[width]}.extadd_pairwise_${shapeName[from]}_${suffix}`;
  table[name] = row('v128', 'v128', opcode, (x: Vector) =>
    lanes(width, (i) => get(x, 2 * i) + get(x, 2 * i + 1)),
  );
}
pairwise(16, 124, 's');
pairwise(16, 125, 'u');
pairwise(32, 126, 's');
pairwise(32, 127, 'u');

table['i32x4.dot_i16x8_s'] = row('v128 v128', 'v128', 186, (x: Vector, y: Vector) => {
  const product = (i: number): bigint =>
    signed(16, getLane(x, 16, i)) * signed(16, getLane(y, 16, i));
  return lanes(32, (i) => product(2 * i) + product(2 * i + 1));
});

// --- floating point, round to nearest even

const floatBytes: Record<FloatShape, 4 | 8> = { f32: 4, f64: 8 };
const floatName: Record<FloatShape, string> = { f32: 'f32x4', f64: 'f64x2' };

function getFloat(bytes: Vector, shape: FloatShape, index: number): number {
  const view = viewOf(bytes);
  return shape === 'f32' ? view.getFloat32(index * 4, true) : view.getFloat64(index * 8, true);
}

function floats(shape: FloatShape, compute: (index: number) => number): Vector {
  const result = new Uint8Array(16);
  const view = viewOf(result);
  for (let i = 0; i < 16 / floatBytes[shape]; i++) {
    if (shape === 'f32') view.setFloat32(i * 4, compute(i), true);
    else view.setFloat64(i * 8, compute(i), true);
  }
  return result;
}

function roundHalfEven(x: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x;
  const rounded = x < 0 || Object.is(x, -0) ? x - 2 ** 52 + 2 ** 52 : x + 2 ** 52 - 2 ** 52;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

function floatShape(
  shape: FloatShape,
  compare: number,
  arithmeticAt: number,
  rounding: number[],
): void {
  const name = floatName[shape];
  const width = (floatBytes[shape] * 8) as 32 | 64;
  const compareLanes = (at: number, op: string, holds: (x: number, y: number) => boolean): void => {
    table[`${name}.${op}`] = row('v128 v128', 'v128', compare + at, (x: Vector, y: Vector) =>
      lanes(width, (i) => truth(holds(getFloat(x, shape, i), getFloat(y, shape, i)))),
    );
  };
  compareLanes(0, 'eq', (x, y) => x === y);
  compareLanes(1, 'ne', (x, y) => x !== y);
  compareLanes(2, 'lt', (x, y) => x < y);
  compareLanes(3, 'gt', (x, y) => x > y);
  compareLanes(4, 'le', (x, y) => x <= y);
  compareLanes(5, 'ge', (x, y) => x >= y);

  // abs and neg only touch the sign bit, of NaN too.
  const sign = 1n << BigInt(width - 1);
  unary(`${name}.abs`, arithmeticAt, width, false, (x) => x & ~sign);
  unary(`${name}.neg`, arithmeticAt + 1, width, false, (x) => x ^ sign);

  const unaryFloat = (opcode: number, op: string, f: (x: number) => number): void => {
    table[`${name}.${op}`] = row('v128', 'v128', opcode, (x: Vector) =>
      floats(shape, (i) => f(getFloat(x, shape, i))),
    );
  };
  unaryFloat(arithmeticAt + 3, 'sqrt', Math.sqrt);
  unaryFloat(rounding[0] as number, 'ceil', Math.ceil);
  unaryFloat(rounding[1] as number, 'floor', Math.floor);
  unaryFloat(rounding[2] as number, 'trunc', Math.trunc);
  unaryFloat(rounding[3] as number, 'nearest', roundHalfEven);

  const binaryFloat = (at: number, op: string, f: (x: number, y: number) => number): void => {
    table[`${name}.${op}`] = row('v128 v128', 'v128', arithmeticAt + at, (x: Vector, y: Vector) =>
      floats(shape, (i) => f(getFloat(x, shape, i), getFloat(y, shape, i))),
    );
  };
  binaryFloat(4, 'add', (x, y) => x + y);
  binaryFloat(5, 'sub', (x, y) => x - y);
  binaryFloat(6, 'mul', (x, y) => x * y);
  binaryFloat(7, 'div', (x, y) => x / y);

  // pmin and pmax choose one operand whole, bits and all.
  const choose = (at: number, op: string, second: (x: number, y: number) => boolean): void => {
    table[`${name}.${op}`] = row('v128 v128', 'v128', arithmeticAt + at, (x: Vector, y: Vector) =>
      lanes(width, (i) =>
        getLane(second(getFloat(x, shape, i), getFloat(y, shape, i)) ? y : x, width, i),
      ),
    );
  };
  choose(10, 'pmin', (x, y) => y < x);
  choose(11, 'pmax', (x, y) => x < y);
}
floatShape('f32', 65, 224, [103, 104, 105, 106]);
floatShape('f64', 71, 236, [116, 117, 122, 148]);

// --- conversions

table['f32x4.demote_f64x2_zero'] = row('v128', 'v128', 94, (x: Vector) =>
  floats('f32', (i) => (i < 2 ? getFloat(x, 'f64', i) : 0)),
);
table['f64x2.promote_low_f32x4'] = row('v128', 'v128', 95, (x: Vector) =>
  floats('f64', (i) => getFloat(x, 'f32', i)),
);
table['f32x4.convert_i32x4_s'] = row('v128', 'v128', 250, (x: Vector) =>
  floats('f32', (i) => Number(signed(32, getLane(x, 32, i)))),
);
table['f64x2.convert_low_i32x4_s'] = row('v128', 'v128', 254, (x: Vector) =>
  floats('f64', (i) => Number(signed(32, getLane(x, 32, i)))),
);

/** Truncates toward zero and clamps to int32; NaN gives 0. */
function truncate(x: number): bigint {
  return Number.isNaN(x) ? 0n : BigInt(Math.trunc(Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, x))));
}
table['i32x4.trunc_sat_f32x4_s'] = row('v128', 'v128', 248, (x: Vector) =>
  lanes(32, (i) => truncate(getFloat(x, 'f32', i))),
);
table['i32x4.trunc_sat_f64x2_s_zero'] = row('v128', 'v128', 252, (x: Vector) =>
  lanes(32, (i) => (i < 2 ? truncate(getFloat(x, 'f64', i)) : 0n)),
);

/** Every vector op, by name. */
export const vectorOps: Readonly<Record<string, OpRow>> = table;
