import type { Instruction } from '../form.ts';
import { x87ArithmeticInstructions } from './x87-arithmetic.ts';
import { x87ControlInstructions } from './x87-control.ts';
import { x87MoveInstructions } from './x87-move.ts';

/** Every x87 instruction: opcodes D8 to DF and WAIT. */
export const x87Instructions: readonly Instruction[] = [
  ...x87ControlInstructions,
  ...x87MoveInstructions,
  ...x87ArithmeticInstructions,
];
