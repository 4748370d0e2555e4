import type { Environment } from './environment.ts';
import { ROUND_DOWN, ROUND_NEAREST, ROUND_UP, ROUND_ZERO } from './environment.ts';
import { bitLength, EXPONENT_BIAS, type Float80, infinity80 } from './float80.ts';
import { FPU_OE, FPU_PE, FPU_UE } from './words.ts';

/** Exponent adjustment of results of unmasked overflow and underflow. SDM Vol. 1, 8.5.4 and 8.5.5. */
const BIAS_ADJUST = 24576;

/**
 * `significand` without its low `shift` bits, rounded by the environment's mode. Sets `inexact` and
 * `roundedUp`. A negative shift appends zeros.
 */
export function roundShift(
  env: Environment,
  sign: number,
  significand: bigint,
  shift: number,
  mode = env.rounding,
): bigint {
  env.inexact = false;
  env.roundedUp = false;
  if (shift <= 0) return significand << BigInt(-shift);
  const count = BigInt(shift);
  const kept = significand >> count;
  const rest = significand - (kept << count);
  if (rest === 0n) return kept;
  env.inexact = true;
  if (!roundsAway(mode, sign, kept, rest, 1n << (count - 1n))) return kept;
  env.roundedUp = true;
  return kept + 1n;
}

function roundsAway(mode: number, sign: number, kept: bigint, rest: bigint, half: bigint): boolean {
  switch (mode) {
    case ROUND_NEAREST:
      return rest > half || (rest === half && (kept & 1n) === 1n);
    case ROUND_DOWN:
      return sign === 1;
    case ROUND_UP:
      return sign === 0;
    default:
      return false;
  }
}

/** True when an overflow of this sign gives infinity rather than the largest number. */
export function overflowsToInfinity(mode: number, sign: number): boolean {
  if (mode === ROUND_ZERO) return false;
  return mode === ROUND_NEAREST || (mode === ROUND_UP) === (sign === 0);
}

/**
 * Rounds the exact value `significand` × 2^`scale` (not zero; a low bit may stand for all that was
 * shifted out) to `precision` bits and packs it. Raises OE, UE and PE, sets `roundedUp` for C1.
 */
export function round80(
  env: Environment,
  sign: number,
  significand: bigint,
  scale: number,
  precision = 64,
): Float80 {
  const length = bitLength(significand);
  let exponent = scale + length - 1;
  let rounded = roundShift(env, sign, significand, length - precision);
  if (rounded >> BigInt(precision) !== 0n) {
    rounded >>= 1n;
    exponent++;
  }
  const room = BigInt(64 - precision);
  if (exponent > EXPONENT_BIAS) {
    env.raise(FPU_OE);
    if (env.masked(FPU_OE)) return maskedOverflow(env, sign, precision);
    exponent -= BIAS_ADJUST;
    if (exponent > EXPONENT_BIAS) {
      env.raise(FPU_PE);
      env.roundedUp = true;
      return infinity80(sign);
    }
  } else if (exponent < 1 - EXPONENT_BIAS) {
    if (env.masked(FPU_UE)) return denormalize(env, sign, significand, scale, precision);
    env.raise(FPU_UE);
    exponent += BIAS_ADJUST;
    if (exponent < 1 - EXPONENT_BIAS) {
      env.raise(FPU_PE);
      env.roundedUp = false;
      return { sign, exponent: 0, significand: 0n };
    }
  }
  if (env.inexact) env.raise(FPU_PE);
  return { sign, exponent: exponent + EXPONENT_BIAS, significand: rounded << room };
}

function maskedOverflow(env: Environment, sign: number, precision: number): Float80 {
  env.raise(FPU_PE);
  env.inexact = true;
  env.roundedUp = overflowsToInfinity(env.rounding, sign);
  if (env.roundedUp) return infinity80(sign);
  const largest = ((1n << BigInt(precision)) - 1n) << BigInt(64 - precision);
  return { sign, exponent: 2 * EXPONENT_BIAS, significand: largest };
}

/** The masked answer to a tiny result: fewer bits at the smallest exponent; UE only when inexact. */
function denormalize(
  env: Environment,
  sign: number,
  significand: bigint,
  scale: number,
  precision: number,
): Float80 {
  const lowest = 1 - EXPONENT_BIAS - (precision - 1);
  const kept = roundShift(env, sign, significand, lowest - scale);
  if (env.inexact) env.raise(FPU_UE | FPU_PE);
  const field = kept << BigInt(64 - precision);
  return { sign, exponent: field >> 63n === 0n ? 0 : 1, significand: field };
}
