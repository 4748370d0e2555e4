import { FLOAT32, FLOAT64, fromFloat, fromInteger, toFloat, toInteger } from './convert.ts';
import type { Environment } from './environment.ts';
import { INDEFINITE, type Operand80, unpack80 } from './float80.ts';

/** Formats of a memory operand, as the helpers' `kind` argument. */
export const KIND_F32 = 0;
export const KIND_F64 = 1;
export const KIND_I16 = 2;
export const KIND_I32 = 3;
export const KIND_I64 = 4;
/** Added to an integer kind: FISTTP truncates whatever the control word says. */
export const KIND_TRUNCATE = 8;

/** Bytes a kind occupies. */
export function kindBytes(kind: number): 2 | 4 | 8 {
  const base = kind & 7;
  if (base === KIND_I16) return 2;
  return base === KIND_F32 || base === KIND_I32 ? 4 : 8;
}

/** The operand that the loaded bits (two halves, 16-bit integers sign-extended) stand for. */
export function operandOf(kind: number, low: number, high: number): Operand80 {
  switch (kind) {
    case KIND_F32:
      return fromFloat(BigInt(low >>> 0), FLOAT32);
    case KIND_F64:
      return fromFloat((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0), FLOAT64);
    case KIND_I64:
      return fromInteger((BigInt(high) << 32n) | BigInt(low >>> 0));
    default:
      return fromInteger(BigInt(low));
  }
}

/** Bits to store for `value`. They count only when no unmasked exception was raised. */
export function bitsOf(env: Environment, kind: number, value: Operand80): bigint {
  if (kind === KIND_F32) return toFloat(env, value, FLOAT32);
  if (kind === KIND_F64) return toFloat(env, value, FLOAT64);
  return toInteger(env, value, kindBytes(kind) * 8, (kind & KIND_TRUNCATE) !== 0);
}

/** What a store of `kind` from an empty register writes when that is masked. */
export function indefiniteBits(env: Environment, kind: number): bigint {
  return bitsOf(env, kind, unpack80(INDEFINITE));
}
