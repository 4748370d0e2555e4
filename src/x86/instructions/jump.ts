import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { RCX } from '../state.ts';
import { checkTarget } from './addressing.ts';
import { conditionNames } from './condition-names.ts';

/** JMP near: relative, or through a register or memory. SDM Vol. 2A "JMP". */
export const jmp = define(
  'jmp',
  [form('EB cb', 'Jb', 'd64', 'ends'), form('E9 cz', 'Jz', 'd64', 'ends')],
  (b) => b.jumpRelative(),
);

export const jmpIndirect = define('jmp', [form('FF /4', 'Ev', 'd64', 'ends')], (b, [target]) => {
  const rip = target.read();
  checkTarget(b, rip);
  b.branchNear(rip);
});

function jumpIf(b: Semantics, condition: Value): void {
  b.if(condition, () => b.jumpRelative());
}

const hex = (opcode: number) => opcode.toString(16).toUpperCase().padStart(2, '0');

/** Jcc: JO to JNLE, short and near. SDM Vol. 2A "Jcc". */
export const conditionalJumps: readonly Instruction[] = conditionNames.map((condition, code) =>
  define(
    `j${condition}`,
    [form(`${hex(0x70 + code)} cb`, 'Jb', 'd64'), form(`0F ${hex(0x80 + code)} cz`, 'Jz', 'd64')],
    (b) => {
      jumpIf(b, b.condition(code));
    },
  ),
);

/**
 * Counts CX, ECX or RCX (by address size) down and jumps while it is not zero and `holds`. What the target
 * may fault with comes before the count is written.
 */
function countDown(b: Semantics, holds?: (b: Semantics) => Value): void {
  const size = b.shape.addressSize;
  const count = b.sub(b.readGprUnsigned(RCX, size), b.i64(1));
  const more = b.nez(b.zeroExtend(count, size));
  const taken = holds === undefined ? more : b.and(more, holds(b));
  if (b.shape.checked === true) b.if(taken, () => b.checkRelativeTarget());
  b.writeGpr(RCX, size, count);
  b.if(taken, () => b.goRelative());
}

/** LOOP, LOOPE, LOOPNE: count down and jump while not zero (and ZF, and not ZF). SDM Vol. 2A "LOOP". */
export const loop = define('loop', [form('E2 cb', 'Jb', 'd64')], (b) => countDown(b));

export const loope = define('loope', [form('E1 cb', 'Jb', 'd64')], (b) => {
  countDown(b, () => b.zeroFlag);
});

export const loopne = define('loopne', [form('E0 cb', 'Jb', 'd64')], (b) => {
  countDown(b, () => b.eqz(b.zeroFlag));
});

/** JCXZ, JECXZ, JRCXZ: jump when the count register is zero. SDM Vol. 2A "Jcc". */
export const jrcxz = define('jrcxz', [form('E3 cb', 'Jb', 'd64')], (b) => {
  jumpIf(b, b.eqz(b.readGprUnsigned(RCX, b.shape.addressSize)));
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
