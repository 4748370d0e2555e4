import { define, form, type Instruction } from '../form.ts';
import { RAX, RDX } from '../state.ts';

/** CBW, CWDE, CDQE: the lower half of AX, EAX, RAX sign-extended. SDM Vol. 2A "CBW/CWDE/CDQE". */
export const cbw = define('cbw', [form('98')], (b) => {
  const size = b.shape.operandSize;
  b.writeGpr(RAX, size, b.readGpr(RAX, size / 2));
});

/** CWD, CDQ, CQO: DX, EDX, RDX filled with the sign of AX, EAX, RAX. SDM Vol. 2A "CWD/CDQ/CQO". */
export const cwd = define('cwd', [form('99')], (b) => {
  const size = b.shape.operandSize;
  b.writeGpr(RDX, size, b.shrS(b.readGpr(RAX, size), b.i64(63)));
});

export const convertInstructions: readonly Instruction[] = [cbw, cwd];
