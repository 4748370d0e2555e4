/** Control transfers beyond the current segment: far JMP, CALL, RET, INT, IRET, SYSCALL and friends. */
import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { readFarPointer } from './system-segments.ts';
import { usualIret, usualSyscall, usualSysret } from './usual-transfer.ts';

/** A far pointer in the instruction: the decoder gives the offset in the low, the selector in the high half. */
function immediateFarPointer(b: Semantics): { offset: Value; selector: Value } {
  const pointer = b.parameter('immediate');
  const offset = b.zeroExtend(pointer, 32);
  return { offset, selector: b.wrap(b.shrU(pointer, b.i64(32))) };
}

/** JMP ptr16:32, JMP m16:32. SDM Vol. 2A "JMP". */
export const farJump = define('ljmp', [form('EA cp', 'Ap', 'no64', 'ends')], (b) => {
  const { offset, selector } = immediateFarPointer(b);
  b.helper('farJump', selector, offset, b.i32(b.shape.operandSize));
});

export const farJumpMemory = define('ljmp', [form('FF /5 mod!=3', 'Mp', 'ends')], (b, [target]) => {
  const { offset, selector } = readFarPointer(b, target);
  b.helper('farJump', selector, offset, b.i32(b.shape.operandSize));
});

/** CALL ptr16:32, CALL m16:32. SDM Vol. 2A "CALL". */
export const farCall = define('lcall', [form('9A cp', 'Ap', 'no64', 'ends')], (b) => {
  const { offset, selector } = immediateFarPointer(b);
  b.helper('farCall', selector, offset, b.i32(b.shape.operandSize));
});

export const farCallMemory = define(
  'lcall',
  [form('FF /3 mod!=3', 'Mp', 'ends')],
  (b, [target]) => {
    const { offset, selector } = readFarPointer(b, target);
    b.helper('farCall', selector, offset, b.i32(b.shape.operandSize));
  },
);

/** RETF, RETF imm16. SDM Vol. 2B "RET". */
export const farReturn = define('lret', [form('CB', '', 'ends')], (b) => {
  b.helper('farReturn', b.i32(b.shape.operandSize), b.i32(0));
});

export const farReturnRelease = define('lret', [form('CA iw', 'Iw', 'ends')], (b, [release]) => {
  b.helper('farReturn', b.i32(b.shape.operandSize), b.wrap(release.readUnsigned()));
});

/** IRET, IRETD, IRETQ. SDM Vol. 2A "IRET". */
export const iret = define('iret', [form('CF', '', 'ends')], (b) => {
  const { mode, operandSize } = b.shape;
  if (mode === 64 && operandSize === 64) usualIret(b);
  else b.helper('iret', b.i32(operandSize));
});

export const int = define('int', [form('CD ib', 'Ib', 'ends')], (b, [vector]) => {
  b.helper('interrupt', b.wrap(vector.readUnsigned()));
});

export const int3 = define('int3', [form('CC', '', 'ends')], (b) => b.helper('breakpoint'));

export const int1 = define('int1', [form('F1', '', 'ends')], (b) => b.helper('int1'));

/** INTO: #OF as a software interrupt when OF is set. */
export const into = define('into', [form('CE', '', 'no64')], (b) => {
  b.if(b.overflowFlag, () => b.helper('overflow'));
});

export const syscall = define('syscall', [form('0F 05', '', 'ends')], (b) => {
  if (b.shape.mode === 64) usualSyscall(b);
  else b.helper('syscall');
});

export const sysret = define('sysret', [form('0F 07', '', 'ends')], (b) => {
  const { mode, operandSize } = b.shape;
  if (mode === 64 && operandSize === 64) usualSysret(b);
  else b.helper('sysret', b.i32(operandSize));
});

export const sysenter = define('sysenter', [form('0F 34', '', 'ends', 'cpuid:sep')], (b) => {
  b.helper('sysenter');
});

export const sysexit = define('sysexit', [form('0F 35', '', 'ends', 'cpuid:sep')], (b) =>
  b.helper('sysexit'),
);

/** VMCALL and VMMCALL: a call to the machine under the guest. */
export const hypercall = define('vmcall', [form('0F 01 C1'), form('0F 01 D9')], (b) =>
  b.helper('hypercall'),
);

export const systemTransferInstructions: readonly Instruction[] = [
  farJump,
  farJumpMemory,
  farCall,
  farCallMemory,
  farReturn,
  farReturnRelease,
  iret,
  int,
  int3,
  int1,
  into,
  syscall,
  sysret,
  sysenter,
  sysexit,
  hypercall,
];
