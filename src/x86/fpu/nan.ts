import type { Environment } from './environment.ts';
import {
  EXPONENT_MAX,
  type Float80,
  INDEFINITE,
  type Operand80,
  QUIET,
  QUIET_BIT,
  SIGNALING,
  UNSUPPORTED,
} from './float80.ts';
import { FPU_IE } from './words.ts';

/** Raises IE; the masked answer is the real indefinite. */
export function invalid(env: Environment): Float80 {
  env.raise(FPU_IE);
  return INDEFINITE;
}

/** The NaN with its quiet bit set. */
export function quieted(value: Operand80): Float80 {
  return {
    sign: value.sign,
    exponent: EXPONENT_MAX,
    significand: value.significand | QUIET_BIT,
  };
}

/** The answer of a one-operand operation to a NaN or an unsupported operand. */
export function nanResult(env: Environment, value: Operand80): Float80 {
  if (value.kind === UNSUPPORTED) return invalid(env);
  if (value.kind === SIGNALING) env.raise(FPU_IE);
  return quieted(value);
}

/**
 * The answer of a two-operand operation of which at least one is a NaN or unsupported: a quiet NaN
 * wins over a signaling one, else the larger significand. SDM Vol. 1, table 4-7.
 */
export function nanResultOf(env: Environment, left: Operand80, right: Operand80): Float80 {
  if (left.kind === UNSUPPORTED || right.kind === UNSUPPORTED) return invalid(env);
  if (left.kind === SIGNALING || right.kind === SIGNALING) env.raise(FPU_IE);
  if (left.kind < QUIET) return quieted(right);
  if (right.kind < QUIET) return quieted(left);
  if (left.kind !== right.kind) return quieted(left.kind === QUIET ? left : right);
  return quieted(larger(left, right));
}

function larger(left: Operand80, right: Operand80): Operand80 {
  if (left.significand !== right.significand) {
    return left.significand > right.significand ? left : right;
  }
  return left.sign <= right.sign ? left : right;
}
