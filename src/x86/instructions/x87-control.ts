import { NM } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';
import { CONTROL_FIXED, CONTROL_WRITABLE, FPU_B, FPU_ES, FPU_EXCEPTIONS } from '../fpu/words.ts';
import { STATE } from '../state.ts';
import { checkPending, readField16, statusValue, writeField16 } from './x87-shared.ts';

/** CR0.MP and CR0.TS together make WAIT raise #NM. */
const CR0_MP_TS = (1 << 1) | (1 << 3);

/** WAIT, FWAIT. SDM Vol. 2D "WAIT". */
const wait = define('fwait', [form('9B')], (b) => {
  const bits = b.and(b.readField32(STATE.cr0), b.i32(CR0_MP_TS));
  b.if(b.eq(bits, b.i32(CR0_MP_TS)), () => b.fault(NM));
  checkPending(b);
});

/** FNINIT. SDM Vol. 2A "FINIT/FNINIT". */
const fninit = define('fninit', [form('DB E3', '', 'fpu')], (b) => b.helper('fninit'));

/** FNCLEX: clears the exception flags, SF, ES and B. SDM Vol. 2A "FCLEX/FNCLEX". */
const fnclex = define('fnclex', [form('DB E2', '', 'fpu')], (b) => {
  writeField16(b, STATE.fpuStatus, b.and(readField16(b, STATE.fpuStatus), b.i32(0x7f00)));
});

/** FNSTCW m16. */
const fnstcw = define('fnstcw', [form('D9 /7 mod!=3', 'Mw', 'fpu')], (b, [memory]) => {
  memory.write(b.widen(readField16(b, STATE.fpuControl)));
});

/** FLDCW m16. ES and B follow the new masks. SDM Vol. 2A "FLDCW". */
const fldcw = define('fldcw', [form('D9 /5 mod!=3', 'Mw', 'fpu')], (b, [memory]) => {
  checkPending(b);
  const loaded = b.wrap(memory.readUnsigned());
  const control = b.or(b.and(loaded, b.i32(CONTROL_WRITABLE)), b.i32(CONTROL_FIXED));
  const flags = b.and(readField16(b, STATE.fpuStatus), b.i32(~(FPU_ES | FPU_B) & 0xffff));
  const pending = b.and(b.and(flags, b.not(control)), b.i32(FPU_EXCEPTIONS));
  const summary = b.select(pending, b.i32(FPU_ES | FPU_B), b.i32(0));
  writeField16(b, STATE.fpuControl, control);
  writeField16(b, STATE.fpuStatus, b.or(flags, summary));
});

/** FNSTSW m16 and FNSTSW AX. SDM Vol. 2A "FSTSW/FNSTSW". */
const fnstsw = define(
  'fnstsw',
  [form('DD /7 mod!=3', 'Mw', 'fpu'), form('DF E0', 'AX', 'fpu')],
  (b, [destination]) => destination.write(statusValue(b)),
);

/** FNSTENV, FLDENV, FNSAVE, FRSTOR: layouts by operand size and mode; see fpu/control.ts. */
function environment(name: string, opcode: string, waiting: boolean): Instruction {
  return define(name, [form(`${opcode} mod!=3`, 'M', 'fpu')], (b, [memory]) => {
    if (waiting) checkPending(b);
    b.helper(name, memory.address(), b.i32(b.shape.operandSize === 16 ? 0 : 1));
  });
}

/** FNOP. */
const fnop = define('fnop', [form('D9 D0', '', 'fpu')], (b) => checkPending(b));

/** FNENI, FNDISI, FNSETPM of the 8087 and 80287: no effect. SDM Vol. 3B, 23.18.9. */
const obsolete = define(
  'fneni',
  [form('DB E0', '', 'fpu'), form('DB E1', '', 'fpu'), form('DB E4', '', 'fpu')],
  () => {},
);

/** FDECSTP and FINCSTP: move the stack top; C1 is cleared. */
function moveTop(name: string, opcode: string, by: number): Instruction {
  return define(name, [form(opcode, '', 'fpu')], (b) => {
    checkPending(b);
    const top = b.and(b.add(b.readField32(STATE.fpuTop), b.i32(by)), b.i32(7));
    b.writeField32(STATE.fpuTop, top);
    writeField16(b, STATE.fpuStatus, b.and(readField16(b, STATE.fpuStatus), b.i32(0xfdff)));
  });
}

export const x87ControlInstructions: Instruction[] = [
  wait,
  fninit,
  fnclex,
  fnstcw,
  fldcw,
  fnstsw,
  environment('fnstenv', 'D9 /6', false),
  environment('fldenv', 'D9 /4', true),
  environment('fnsave', 'DD /6', false),
  environment('frstor', 'DD /4', true),
  fnop,
  obsolete,
  moveTop('fdecstp', 'D9 F6', 7),
  moveTop('fincstp', 'D9 F7', 1),
];
