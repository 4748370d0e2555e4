import type { Value } from '../../ir/mod.ts';
import { MF } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';
import { KIND_I16, KIND_I32, kindBytes } from '../fpu/memory-kinds.ts';
import { FPU_ES, FPU_TOP_SHIFT } from '../fpu/words.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';
import { quickly } from './quickly.ts';

/** CR0.NE: x87 errors are #MF. Without it the processor signals the outside; that is left out. */
const CR0_NE = 1 << 5;

/** 16-bit state field, zero-extended to i32. */
export function readField16(b: Semantics, offset: number): Value {
  return b.readState({ kind: 'fixed', offset }, 'i32.16u');
}

export function writeField16(b: Semantics, offset: number, value: Value): void {
  b.writeState({ kind: 'fixed', offset }, 'i32.16u', value);
}

/** First step of a waiting instruction: #MF when an unmasked exception is pending. */
export function checkPending(b: Semantics): void {
  const pending = b.and(readField16(b, STATE.fpuStatus), b.i32(FPU_ES));
  const reported = b.and(b.readField32(STATE.cr0), b.i32(CR0_NE));
  // ES is bit 7 and NE bit 5: shifted onto each other their AND is the condition.
  b.if(b.and(b.shrU(pending, b.i32(2)), reported), () => b.fault(MF));
}

/** The status word with the stack top in place, i64. */
export function statusValue(b: Semantics): Value {
  const top = b.shl(b.readField32(STATE.fpuTop), b.i32(FPU_TOP_SHIFT));
  return b.widen(b.or(readField16(b, STATE.fpuStatus), top));
}

/** Last step of an instruction that is no control instruction: its address becomes FIP. */
export function recordInstruction(b: Semantics): void {
  b.writeField(STATE.fpuIp, b.parameter('rip'));
}

/** The same for an instruction with a memory operand, whose offset becomes FDP. */
export function recordOperand(b: Semantics, memory: Operand): void {
  recordInstruction(b);
  b.writeField(STATE.fpuDp, memory.offset());
}

/** What an operand of `kind` in memory holds, i64: integers sign-extended. */
export function loadKind(b: Semantics, kind: number, memory: Operand): Value {
  const bits = (kindBytes(kind) * 8) as 16 | 32 | 64;
  return b.load(memory.address(), bits, kind === KIND_I16 || kind === KIND_I32);
}

/** What helpers take of it: two halves as i32. */
export function halvesOf(b: Semantics, value: Value): [Value, Value] {
  return [b.wrap(value), b.wrap(b.shrU(value, b.i64(32)))];
}

/** The slow way of a waiting instruction: the check for pending exceptions, then a helper. */
function waitingHelper(b: Semantics, helper: string, args: readonly Value[]): () => void {
  return () => {
    checkPending(b);
    b.helper(helper, ...args);
  };
}

/** The routine that does the usual case of an instruction, see fpu/quick. */
export interface Quick {
  readonly routine: string;
  /** its arguments, from those of the helper */
  readonly args: (b: Semantics, args: readonly Value[]) => readonly Value[];
  /** what is left to do with its result */
  readonly after?: (b: Semantics) => (result: Value) => void;
}

/** A routine that takes the helper's own arguments. */
export function sameArguments(routine: string): Quick {
  return { routine, args: (_b, args) => args };
}

/** An instruction on the register stack alone: pending exceptions, a helper, FIP. */
export function stackInstruction(
  name: string,
  opcode: string,
  helper: string,
  numbers: readonly number[] = [],
  quick?: Quick,
): Instruction {
  return define(name, [form(opcode, '', 'fpu')], (b) => {
    const args = numbers.map((number) => b.i32(number));
    const slow = waitingHelper(b, helper, args);
    if (quick === undefined) slow();
    else quickly(b, quick.routine, quick.args(b, args), slow);
    recordInstruction(b);
  });
}

/**
 * An instruction with a stack register ST(i) in its opcode: `numbers` are the helper's arguments, of
 * which 'i' stands for the register's number. `opcodes` after the first are undocumented aliases.
 */
export function registerInstruction(
  name: string,
  opcodes: readonly string[],
  helper: string,
  numbers: readonly (number | 'i')[],
  quick?: Quick,
  ...attributes: 'cpuid:cmov'[]
): Instruction {
  const forms = opcodes.map((opcode) => form(opcode, 'STi', 'fpu', ...attributes));
  return define(name, forms, (b, [register]) => {
    const args = numbers.map((number) =>
      number === 'i' ? stackNumber(b, register) : b.i32(number),
    );
    const slow = waitingHelper(b, helper, args);
    if (quick === undefined) slow();
    else quickly(b, quick.routine, quick.args(b, args), slow, quick.after?.(b));
    recordInstruction(b);
  });
}

/** The i of ST(i), i32. */
export function stackNumber(b: Semantics, register: Operand): Value {
  return b.wrap(register.read());
}
