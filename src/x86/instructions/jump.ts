import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { RCX } from '../state.ts';
import { checkTarget } from './addressing.ts';
import { conditionNames } from './condition-names.ts';

/** JMP near: relative, or through a register or memory. SDM Vol. 2A "JMP". */
export const jmp = define(
  'jmp',
  [form('EB cb', 'Jb', 'f64', 'ends'), form('E9 cz', 'Jz', 'f64', 'ends')],
  (b) => {
    b.branchRelative();
  },
);

export const jmpIndirect = define('jmp', [form('FF /4', 'Ev', 'f64', 'ends')], (b, [target]) => {
  const rip = target.read();
  checkTarget(b, rip);
  b.branchNear(rip);
});

const hex = (opcode: number) => opcode.toString(16).toUpperCase().padStart(2, '0');

/** Jcc: JO to JNLE, short and near. SDM Vol. 2A "Jcc". */
export const conditionalJumps: readonly Instruction[] = conditionNames.map((condition, code) =>
  define(
    `j${condition}`,
    [form(`${hex(0x70 + code)} cb`, 'Jb', 'f64'), form(`0F ${hex(0x80 + code)} cz`, 'Jz', 'f64')],
    (b) => {
      b.if(b.condition(code), () => b.branchRelative());
    },
  ),
);

/** The count register (CX, ECX, RCX by address size) less one, written back. */
function countDown(b: Semantics): Value {
  const size = b.shape.addressSize;
  const count = b.sub(b.readGprUnsigned(RCX, size), b.i64(1));
  b.writeGpr(RCX, size, count);
  return b.zeroExtend(count, size);
}

/** LOOP, LOOPE, LOOPNE: count down and jump while not zero (and ZF, and not ZF). SDM Vol. 2A "LOOP". */
export const loop = define('loop', [form('E2 cb', 'Jb', 'f64')], (b) => {
  b.if(b.nez(countDown(b)), () => b.branchRelative());
});

export const loope = define('loope', [form('E1 cb', 'Jb', 'f64')], (b) => {
  b.if(b.and(b.nez(countDown(b)), b.zeroFlag), () => b.branchRelative());
});

export const loopne = define('loopne', [form('E0 cb', 'Jb', 'f64')], (b) => {
  b.if(b.and(b.nez(countDown(b)), b.eqz(b.zeroFlag)), () => b.branchRelative());
});

/** JCXZ, JECXZ, JRCXZ: jump when the count register is zero. SDM Vol. 2A "Jcc". */
export const jrcxz = define('jrcxz', [form('E3 cb', 'Jb', 'f64')], (b) => {
  b.if(b.eqz(b.readGprUnsigned(RCX, b.shape.addressSize)), () => b.branchRelative());
});

export const jumpInstructions: readonly Instruction[] = [
  jmp,
  jmpIndirect,
  ...conditionalJumps,
  loop,
  loope,
  loopne,
  jrcxz,
];
