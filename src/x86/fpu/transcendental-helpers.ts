import type { Cpu, Helper } from '../cpu.ts';
import type { Environment } from './environment.ts';
import {
  type Float80,
  INDEFINITE,
  INFINITE,
  INTEGER_BIT,
  isNan,
  type Operand80,
} from './float80.ts';
import { invalid, nanResult } from './nan.ts';
import { binaryHelper, stackFits, unaryHelper } from './operate.ts';
import { FpuStack } from './stack.ts';
import {
  arcTangent,
  beyondReduction,
  exp2m1,
  trigonometry,
  yLog2x,
  yLog2xPlus1,
} from './transcendental.ts';
import { FPU_C1, FPU_C2 } from './words.ts';

const ONE: Float80 = { sign: 0, exponent: 16383, significand: INTEGER_BIT };

/** The answer to a NaN or an infinity, or undefined for an argument that has a sine. */
function specialAngle(env: Environment, value: Operand80): Float80 | undefined {
  if (isNan(value)) return nanResult(env, value);
  return value.kind === INFINITE ? invalid(env) : undefined;
}

/** FSIN and FCOS. */
function sineOrCosine(cpu: Cpu, which: 'sine' | 'cosine'): void {
  const stack = new FpuStack(cpu.state);
  if (stack.isEmpty(0)) {
    stack.setConditions(0, FPU_C2);
    if (stack.underflow()) stack.write(0, INDEFINITE);
    return;
  }
  const value = stack.operand(0);
  if (beyondReduction(value)) {
    stack.setConditions(FPU_C2, FPU_C1 | FPU_C2);
    return;
  }
  const env = stack.environment();
  let result = specialAngle(env, value);
  if (result === undefined && !env.denormalStops(value.denormal)) {
    result = trigonometry(value)[which](env);
  }
  stack.setConditions(0, FPU_C2);
  if (stack.settle(env) && result !== undefined) stack.write(0, result);
}

/** FSINCOS (sine below, cosine on top) and FPTAN (tangent below, 1 on top). */
function pair(cpu: Cpu, tangent: boolean): void {
  const stack = new FpuStack(cpu.state);
  const value = stack.operand(0);
  if (!stackFits(stack)) {
    stack.setConditions(0, FPU_C2);
    return;
  }
  if (beyondReduction(value)) {
    stack.setConditions(FPU_C2, FPU_C1 | FPU_C2);
    return;
  }
  const env = stack.environment();
  let lower = specialAngle(env, value);
  let upper = lower;
  if (lower === undefined && !env.denormalStops(value.denormal)) {
    const functions = trigonometry(value);
    if (tangent) {
      lower = functions.tangent(env);
      upper = ONE;
    } else {
      // C1 reports the rounding of the result that is computed last: the sine.
      upper = functions.cosine(env);
      lower = functions.sine(env);
    }
  }
  stack.setConditions(0, FPU_C2);
  if (!stack.settle(env) || lower === undefined || upper === undefined) return;
  stack.write(0, lower);
  stack.push(upper);
}

export const transcendentalHelpers: Record<string, Helper> = {
  x87Exp2m1: unaryHelper(exp2m1),
  x87YLog2x: binaryHelper(yLog2x, 1, 1),
  x87YLog2xPlus1: binaryHelper(yLog2xPlus1, 1, 1),
  x87ArcTangent: binaryHelper(arcTangent, 1, 1),
  x87Sine: { params: [], run: (cpu) => sineOrCosine(cpu, 'sine') },
  x87Cosine: { params: [], run: (cpu) => sineOrCosine(cpu, 'cosine') },
  x87SineCosine: { params: [], run: (cpu) => pair(cpu, false) },
  x87Tangent: { params: [], run: (cpu) => pair(cpu, true) },
};
