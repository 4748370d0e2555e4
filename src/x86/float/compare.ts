import { type FloatEnvironment, MXCSR_IE } from './environment.ts';
import type { Format } from './format.ts';
import { checkDenormals, isNan, type Unpacked, unpack, zeroBits } from './number.ts';

/** Relations of two numbers, as bits so that a predicate is a set of them. */
export const LESS = 1;
export const EQUAL = 2;
export const GREATER = 4;
export const UNORDERED = 8;

/**
 * The relation of two numbers. A signalling NaN raises IE; a quiet one does when `signalsQuiet`.
 */
export function compare(
  format: Format,
  env: FloatEnvironment,
  left: bigint,
  right: bigint,
  signalsQuiet: boolean,
): number {
  const x = unpack(format, left, env);
  const y = unpack(format, right, env);
  if (isNan(x) || isNan(y)) {
    if (signalsQuiet || x.kind === 'signaling' || y.kind === 'signaling') env.raise(MXCSR_IE);
    return UNORDERED;
  }
  checkDenormals(env, x, y);
  return relation(format, x, y);
}

/** Order of two numbers that are no NaN: as integers, sign and magnitude. */
function relation(format: Format, x: Unpacked, y: Unpacked): number {
  const order = (v: Unpacked): bigint => {
    if (v.kind === 'zero') return 0n;
    const magnitude = v.bits & (format.signBit - 1n);
    return v.sign === 0 ? magnitude : -magnitude;
  };
  const a = order(x);
  const b = order(y);
  return a < b ? LESS : a > b ? GREATER : EQUAL;
}

/**
 * MIN and MAX: the second operand when either is a NaN (with IE, quiet or not) or both are zeros, else
 * the lesser or greater. SDM Vol. 2B "MINPS".
 */
export function extremum(
  format: Format,
  env: FloatEnvironment,
  left: bigint,
  right: bigint,
  wanted: typeof LESS | typeof GREATER,
): bigint {
  const found = compare(format, env, left, right, true);
  const chosen = unpack(format, found === wanted ? left : right, env);
  // Under DAZ a denormal comes out as the zero it counts as.
  return chosen.kind === 'zero' ? zeroBits(format, chosen.sign) : chosen.bits;
}

/**
 * Predicates 0 to 31 of CMPPS: the relations that make it true, and whether a quiet NaN raises IE.
 * SDM Vol. 2A, Table 3-1.
 */
const ORDERED = LESS | EQUAL | GREATER;
const FIRST_EIGHT = [
  EQUAL,
  LESS,
  LESS | EQUAL,
  UNORDERED,
  LESS | GREATER | UNORDERED,
  EQUAL | GREATER | UNORDERED,
  GREATER | UNORDERED,
  ORDERED,
];
const SECOND_EIGHT = [
  EQUAL | UNORDERED,
  LESS | UNORDERED,
  LESS | EQUAL | UNORDERED,
  0,
  LESS | GREATER,
  EQUAL | GREATER,
  GREATER,
  ORDERED | UNORDERED,
];

export function predicateHolds(predicate: number, found: number): boolean {
  const table = (predicate & 8) === 0 ? FIRST_EIGHT : SECOND_EIGHT;
  return ((table[predicate & 7] as number) & found) !== 0;
}

/** LT, LE and their kin signal; from 16 on it is the other way round. */
export function predicateSignals(predicate: number): boolean {
  const low = predicate & 3;
  return (low === 1 || low === 2) !== ((predicate & 16) !== 0);
}
