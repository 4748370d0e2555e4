import type { Value } from '../../ir/mod.ts';
import type { ElementKind } from '../float/mod.ts';
import { define, type Form, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import {
  denormalLanes,
  fastOrCareful,
  hostRounds,
  inexactIsKnown,
  nanLanes,
  noLane,
} from './sse-careful.ts';
import { carefulConvert } from './sse-convert.ts';
import {
  constant,
  enterMmx,
  fromLow64,
  halves,
  lane64,
  lanePattern,
  shuffle,
  sse,
  writeHalves,
  writeMmx,
} from './sse-shared.ts';

/**
 * Conversions of packed elements, MMX ones included. Where source and result differ in width, a VEX.256
 * form reads or writes one 128-bit half on the narrow side. SDM Vol. 2A "CVTDQ2PD" to "CVTTPS2PI".
 */

type Conversion = (b: Semantics, source: Value) => Value;

/** 64-bit float constant in both lanes. */
const doubles = (b: Semantics, bits: bigint): Value => constant(b, 64, bits);
const TWO_31_SINGLE = 0x4f00_0000;
/** 2^31 - 1 */
const INT32_MAX_DOUBLE = 0x41df_ffff_ffc0_0000n;
/** 2^-125 and 2^127: doubles between them round to well normal singles. */
const SINGLE_LOW = 0x3820_0000_0000_0000n;
const SINGLE_HIGH = 0x47e0_0000_0000_0000n;

const lanesNotBelow = (b: Semantics, shape: string, vector: Value, limit: Value): Value =>
  b.pure('v128.not', b.pure(`${shape}.lt`, b.pure(`${shape}.abs`, vector), limit));

/** Halves of the wide side that an instruction produces or consumes. */
interface Rule {
  readonly from: ElementKind;
  readonly to: ElementKind;
  readonly truncates: boolean;
  /** one 128-bit result half from one source vector: for widening, its low 64 bits */
  readonly convert: Conversion;
  /** i32: the fast results are right */
  readonly good: (b: Semantics, sources: readonly Value[]) => Value;
}

const floatsToIntegers = (shape: 'f32x4' | 'f64x2', truncates: boolean): Rule => {
  const wide = shape === 'f64x2';
  const rounded: Conversion = (b, source) =>
    truncates ? source : b.pure(`${shape}.nearest`, source);
  return {
    from: wide ? 'float64' : 'float32',
    to: 'int32',
    truncates,
    convert: (b, source) =>
      b.pure(wide ? 'i32x4.trunc_sat_f64x2_s_zero' : 'i32x4.trunc_sat_f32x4_s', rounded(b, source)),
    good: (b, sources) => {
      const limit = wide ? doubles(b, INT32_MAX_DOUBLE) : constant(b, 32, TWO_31_SINGLE);
      const bad = sources.map((source) => lanesNotBelow(b, shape, rounded(b, source), limit));
      return b.and(truncates ? inexactIsKnown(b) : hostRounds(b), noLane(b, ...bad));
    },
  };
};

export const CONVERSIONS = {
  singlesFromIntegers: {
    from: 'int32',
    to: 'float32',
    truncates: false,
    convert: (b, source) => b.pure('f32x4.convert_i32x4_s', source),
    good: (b) => hostRounds(b),
  },
  integersFromSingles: floatsToIntegers('f32x4', false),
  integersFromSinglesTruncated: floatsToIntegers('f32x4', true),
  integersFromDoubles: floatsToIntegers('f64x2', false),
  integersFromDoublesTruncated: floatsToIntegers('f64x2', true),
  doublesFromIntegers: {
    from: 'int32',
    to: 'float64',
    truncates: false,
    convert: (b, source) => b.pure('f64x2.convert_low_i32x4_s', source),
    good: (b) => b.i32(1),
  },
  doublesFromSingles: {
    from: 'float32',
    to: 'float64',
    truncates: false,
    convert: (b, source) => b.pure('f64x2.promote_low_f32x4', source),
    good: (b, sources) =>
      noLane(b, ...sources.flatMap((x) => [denormalLanes(b, 32, x), nanLanes(b, 32, x)])),
  },
  singlesFromDoubles: {
    from: 'float64',
    to: 'float32',
    truncates: false,
    convert: (b, source) => b.pure('f32x4.demote_f64x2_zero', source),
    good: (b, sources) => {
      const bad = sources.map((source) => {
        const magnitude = b.pure('f64x2.abs', source);
        const inside = b.pure(
          'v128.and',
          b.pure('f64x2.gt', magnitude, doubles(b, SINGLE_LOW)),
          b.pure('f64x2.lt', magnitude, doubles(b, SINGLE_HIGH)),
        );
        const zero = b.pure('f64x2.eq', source, doubles(b, 0n));
        return b.pure('v128.not', b.pure('v128.or', inside, zero));
      });
      return b.and(hostRounds(b), noLane(b, ...bad));
    },
  },
} as const satisfies Record<string, Rule>;

const bitsOfKind = (kind: ElementKind): number => (kind.endsWith('64') ? 64 : 32);

const swapHalves = (b: Semantics, vector: Value): Value =>
  shuffle(b, vector, vector, lanePattern(8, [1, 0]));

/** Runs a rule over source vectors given per result half (or per source half when it narrows). */
function convertHalves(
  b: Semantics,
  rule: Rule,
  sources: readonly Value[],
  raw: readonly Value[],
  mmx = false,
): Value[] {
  const narrows = bitsOfKind(rule.from) > bitsOfKind(rule.to);
  const converted = sources.map((source) => rule.convert(b, source));
  const fast =
    narrows && converted.length === 2
      ? [shuffle(b, converted[0] as Value, converted[1] as Value, lanePattern(8, [0, 2]))]
      : converted;
  const widest = Math.max(bitsOfKind(rule.from), bitsOfKind(rule.to));
  const lanes = (sources.length * 128) / widest;
  return fastOrCareful(b, rule.good(b, sources), fast, raw, [], () =>
    carefulConvert(b, rule.from, rule.to, lanes, { truncates: rule.truncates, mmx }),
  );
}

/** A packed conversion between vector registers (source possibly memory). */
export function convertPacked(rule: Rule) {
  const widens = bitsOfKind(rule.from) < bitsOfKind(rule.to);
  return (b: Semantics, [destination, operand]: readonly Operand[]): void => {
    const source = operand as Operand;
    const at = halves(b);
    if (!widens) {
      const sources = at.map((offset) => source.readVector(offset));
      writeHalves(b, destination as Operand, convertHalves(b, rule, sources, sources));
      return;
    }
    const low = at.length === 1 ? fromLow64(b, source.readElement(64)) : source.readVector();
    const sources = at.length === 1 ? [low] : [low, swapHalves(b, low)];
    writeHalves(b, destination as Operand, convertHalves(b, rule, sources, [low]));
  };
}

/** CVTPI2PS, CVTPI2PD: two integers of an MMX register or memory; CVTPI2PS keeps the upper half. */
function fromMmx(rule: Rule) {
  return (b: Semantics, [destination, operand]: readonly Operand[]): void => {
    const source = operand as Operand;
    const to = destination as Operand;
    const integers = fromLow64(b, source.readElement(64));
    const [value] = convertHalves(b, rule, [integers], [integers], source.kind === 'mmx');
    if (rule.to === 'float32') to.writeElement(64, lane64(b, value as Value));
    else to.writeVector(value as Value);
    if (source.kind === 'mmx') enterMmx(b);
  };
}

/** CVTPS2PI, CVTPD2PI and their truncating kin: the low two elements become two integers. */
function toMmx(rule: Rule) {
  return (b: Semantics, [destination, operand]: readonly Operand[]): void => {
    const source = operand as Operand;
    const floats =
      rule.from === 'float32' ? fromLow64(b, source.readElement(64)) : source.readVector();
    const [value] = convertHalves(b, rule, [floats], [floats], true);
    writeMmx(b, destination as Operand, lane64(b, value as Value));
  };
}

const withMmx = (opcode: string, operands: string, feature: string, ...more: 'aligned'[]): Form =>
  form(opcode, operands, 'sse', 'mmx', `cpuid:${feature}`, ...more);

const {
  singlesFromIntegers,
  integersFromSingles,
  integersFromSinglesTruncated,
  integersFromDoubles,
  integersFromDoublesTruncated,
  doublesFromIntegers,
  doublesFromSingles,
  singlesFromDoubles,
} = CONVERSIONS;

export const sseConvertPackedInstructions: readonly Instruction[] = [
  define(
    'cvtdq2ps',
    [sse('NP 0F 5B /r', 'Vx Wx', 'sse2', 'aligned')],
    convertPacked(singlesFromIntegers),
  ),
  define(
    'cvtps2dq',
    [sse('66 0F 5B /r', 'Vx Wx', 'sse2', 'aligned')],
    convertPacked(integersFromSingles),
  ),
  define(
    'cvttps2dq',
    [sse('F3 0F 5B /r', 'Vx Wx', 'sse2', 'aligned')],
    convertPacked(integersFromSinglesTruncated),
  ),
  define('cvtdq2pd', [sse('F3 0F E6 /r', 'Vx Wq', 'sse2')], convertPacked(doublesFromIntegers)),
  define(
    'cvtpd2dq',
    [sse('F2 0F E6 /r', 'Vx Wx', 'sse2', 'aligned')],
    convertPacked(integersFromDoubles),
  ),
  define(
    'cvttpd2dq',
    [sse('66 0F E6 /r', 'Vx Wx', 'sse2', 'aligned')],
    convertPacked(integersFromDoublesTruncated),
  ),
  define('cvtps2pd', [sse('NP 0F 5A /r', 'Vx Wq', 'sse2')], convertPacked(doublesFromSingles)),
  define(
    'cvtpd2ps',
    [sse('66 0F 5A /r', 'Vx Wx', 'sse2', 'aligned')],
    convertPacked(singlesFromDoubles),
  ),
  define(
    'cvtpi2ps',
    [withMmx('NP 0F 2A /r', 'Vx Nq', 'sse'), sse('NP 0F 2A /r', 'Vx Mq', 'sse')],
    fromMmx(singlesFromIntegers),
  ),
  define(
    'cvtpi2pd',
    [withMmx('66 0F 2A /r', 'Vx Nq', 'sse2'), sse('66 0F 2A /r', 'Vx Mq', 'sse2')],
    fromMmx(doublesFromIntegers),
  ),
  define(
    'cvttps2pi',
    [withMmx('NP 0F 2C /r', 'Pq Wq', 'sse')],
    toMmx(integersFromSinglesTruncated),
  ),
  define(
    'cvttpd2pi',
    [withMmx('66 0F 2C /r', 'Pq Wx', 'sse2', 'aligned')],
    toMmx(integersFromDoublesTruncated),
  ),
  define('cvtps2pi', [withMmx('NP 0F 2D /r', 'Pq Wq', 'sse')], toMmx(integersFromSingles)),
  define(
    'cvtpd2pi',
    [withMmx('66 0F 2D /r', 'Pq Wx', 'sse2', 'aligned')],
    toMmx(integersFromDoubles),
  ),
];
