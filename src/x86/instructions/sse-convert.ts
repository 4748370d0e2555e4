import type { Value } from '../../ir/mod.ts';
import { CONVERT_MMX, CONVERT_TRUNCATES, ELEMENT, type ElementKind } from '../float/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import {
  asBits,
  asFloat,
  type FloatWidth,
  fastOrCareful,
  hostRounds,
  inexactIsKnown,
  narrow,
  notDenormal,
  notNan,
  scalarFact,
  twice,
  wellNormal,
} from './sse-careful.ts';
import { writeScalar } from './sse-float.ts';
import { sse, threeOperands } from './sse-shared.ts';

/**
 * Conversions of one element: between single, double and general registers.
 * SDM Vol. 2A "CVTSD2SI" and neighbours. Packed ones: sse-convert-packed.ts.
 */

/** How the helper converts: see CONVERT_ in float/operation.ts. */
export interface ConvertOptions {
  readonly truncates?: boolean;
  readonly mmx?: boolean;
}

/** Calls the helper that converts `lanes` elements in the scratch area. */
export function carefulConvert(
  b: Semantics,
  from: ElementKind,
  to: ElementKind,
  lanes: number,
  { truncates = false, mmx = false }: ConvertOptions = {},
): void {
  b.helper(
    'floatConvert',
    b.i32(ELEMENT[from]),
    b.i32(ELEMENT[to]),
    b.i32(lanes),
    b.i32((truncates ? CONVERT_TRUNCATES : 0) | (mmx ? CONVERT_MMX : 0)),
  );
}

const floatKind = (width: FloatWidth): ElementKind => (width === 32 ? 'float32' : 'float64');

/** CVTSI2SS, CVTSI2SD. */
export function fromGeneral(width: FloatWidth) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right } = threeOperands(b, operands);
    const source = right.read();
    const result = asBits(b, width, b.pure(`f${width}.convert_i64_s`, source));
    if (right.width === 32 && width === 64) {
      writeScalar(b, destination, left, width, result);
      b.learn(destination, scalarFact(width));
      return;
    }
    // Integers that fit the significand are exact, whatever MXCSR says.
    const limit = 1n << (width === 32 ? 24n : 53n);
    const small = b.leU(b.add(source, b.i64(limit)), b.i64(2n * limit));
    const from: ElementKind = right.width === 32 ? 'int32' : 'int64';
    const [value] = fastOrCareful(b, b.or(small, hostRounds(b)), [result], [source], [], () =>
      carefulConvert(b, from, floatKind(width), 1),
    );
    writeScalar(b, destination, left, width, value as Value);
    b.learn(destination, scalarFact(width));
  };
}

/** CVTSS2SI, CVTSD2SI; CVTTSS2SI, CVTTSD2SI when it truncates. */
export function toGeneral(width: FloatWidth, truncates: boolean) {
  return (b: Semantics, [destination, source]: readonly Operand[]): void => {
    const to = destination as Operand;
    const bits = narrow(b, width, (source as Operand).readElement(width));
    const single = asFloat(b, width, bits);
    const value = width === 32 ? b.pure('f64.promote_f32', single) : single;
    const whole = b.pure(truncates ? 'f64.trunc' : 'f64.nearest', value);
    const result = b.pure('i64.trunc_sat_f64_s', whole);
    const magnitude = asBits(b, 64, b.pure('f64.abs', whole));
    // Below 2^31 or 2^63: bits of positive numbers are ordered, and a NaN's are larger still.
    const limit = BigInt(1023 + to.width - 1) << 52n;
    const inRange = b.ltU(magnitude, b.i64(limit));
    const exact = b.pure('f64.eq', whole, value);
    const silent = b.or(exact, truncates ? inexactIsKnown(b) : hostRounds(b));
    const [integer] = fastOrCareful(b, b.and(inRange, silent), [result], [bits], [], () =>
      carefulConvert(b, floatKind(width), to.width === 32 ? 'int32' : 'int64', 1, { truncates }),
    );
    to.write(integer as Value);
  };
}

/** CVTSS2SD: always exact; NaNs and denormals are careful. */
export function singleToDouble(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right } = threeOperands(b, operands);
  const bits = narrow(b, 32, right.readElement(32));
  const doubled = twice(b, 32, bits);
  const result = asBits(b, 64, b.pure('f64.promote_f32', asFloat(b, 32, bits)));
  const good = b.and(notDenormal(b, 32, doubled), notNan(b, 32, doubled));
  const [value] = fastOrCareful(b, good, [result], [bits], [], () =>
    carefulConvert(b, 'float32', 'float64', 1),
  );
  writeScalar(b, destination, left, 64, value as Value);
  b.learn(destination, scalarFact(64));
}

/** CVTSD2SS. */
export function doubleToSingle(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right } = threeOperands(b, operands);
  const bits = right.readElement(64);
  const value = asFloat(b, 64, bits);
  const single = b.pure('f32.demote_f64', value);
  const result = asBits(b, 32, single);
  const ordinary = b.or(wellNormal(b, 32, twice(b, 32, result)), b.eqz(twice(b, 64, bits)));
  const exact = b.pure('f64.eq', b.pure('f64.promote_f32', single), value);
  const good = b.and(ordinary, b.or(hostRounds(b), exact));
  const [converted] = fastOrCareful(b, good, [result], [bits], [], () =>
    carefulConvert(b, 'float64', 'float32', 1),
  );
  writeScalar(b, destination, left, 32, converted as Value);
  b.learn(destination, scalarFact(32));
}

export const sseConvertInstructions: readonly Instruction[] = [
  define('cvtsi2ss', [sse('F3 0F 2A /r', 'Vss Ey', 'sse')], fromGeneral(32)),
  define('cvtsi2sd', [sse('F2 0F 2A /r', 'Vsd Ey', 'sse2')], fromGeneral(64)),
  define('cvttss2si', [sse('F3 0F 2C /r', 'Gy Wss', 'sse')], toGeneral(32, true)),
  define('cvttsd2si', [sse('F2 0F 2C /r', 'Gy Wsd', 'sse2')], toGeneral(64, true)),
  define('cvtss2si', [sse('F3 0F 2D /r', 'Gy Wss', 'sse')], toGeneral(32, false)),
  define('cvtsd2si', [sse('F2 0F 2D /r', 'Gy Wsd', 'sse2')], toGeneral(64, false)),
  define('cvtss2sd', [sse('F3 0F 5A /r', 'Vsd Wss', 'sse2')], singleToDouble),
  define('cvtsd2ss', [sse('F2 0F 5A /r', 'Vss Wsd', 'sse2')], doubleToSingle),
];
