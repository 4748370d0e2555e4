import type { Environment } from './environment.ts';
import {
  FINITE,
  type Float80,
  INFINITE,
  isNan,
  type Operand80,
  QUIET,
  UNSUPPORTED,
  unpack80,
  ZERO,
} from './float80.ts';
import { FPU_C0, FPU_C1, FPU_C2, FPU_C3, FPU_DE, FPU_IE } from './words.ts';

/** Condition codes of a comparison. SDM Vol. 1, table 8-6. */
export const GREATER = 0;
export const LESS = FPU_C0;
export const EQUAL = FPU_C3;
export const UNORDERED = FPU_C0 | FPU_C2 | FPU_C3;

/**
 * Condition codes of `left` compared with `right`. Any NaN raises IE, but when `quietAllowed` (the
 * FUCOM group) only signaling ones and unsupported operands do. The codes count even when an unmasked
 * exception keeps the operands on the stack.
 */
export function compare80(
  env: Environment,
  left: Operand80,
  right: Operand80,
  quietAllowed: boolean,
): number {
  if (isNan(left) || isNan(right)) {
    if (!quietAllowed || left.kind > QUIET || right.kind > QUIET) env.raise(FPU_IE);
    return UNORDERED;
  }
  if (left.denormal || right.denormal) env.raise(FPU_DE);
  const order = signedOrder(left, right);
  return order < 0 ? LESS : order > 0 ? GREATER : EQUAL;
}

function signedOrder(left: Operand80, right: Operand80): number {
  if (left.kind === ZERO && right.kind === ZERO) return 0;
  if (left.kind === ZERO) return right.sign === 1 ? 1 : -1;
  if (right.kind === ZERO || left.sign !== right.sign) return left.sign === 1 ? -1 : 1;
  const order = magnitudeOrder(left, right);
  return left.sign === 1 ? -order : order;
}

function magnitudeOrder(left: Operand80, right: Operand80): number {
  if (left.kind !== right.kind) return left.kind === INFINITE ? 1 : -1;
  if (left.kind === INFINITE) return 0;
  if (left.exponent !== right.exponent) return left.exponent - right.exponent;
  if (left.significand === right.significand) return 0;
  return left.significand > right.significand ? 1 : -1;
}

/** Condition codes of FXAM: the class in C3, C2, C0 and the sign in C1. SDM Vol. 2A "FXAM". */
export function examine80(value: Float80): number {
  const sign = value.sign === 1 ? FPU_C1 : 0;
  const operand = unpack80(value);
  switch (operand.kind) {
    case UNSUPPORTED:
      return sign;
    case ZERO:
      return sign | FPU_C3;
    case INFINITE:
      return sign | FPU_C2 | FPU_C0;
    case FINITE:
      return sign | FPU_C2 | (operand.denormal ? FPU_C3 : 0);
    default:
      return sign | FPU_C0;
  }
}

/** FXAM of an empty register. */
export const EXAMINED_EMPTY = FPU_C3 | FPU_C0;
