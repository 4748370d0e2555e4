import type { Value } from '../../ir/mod.ts';
import { EFLAGS } from '../cpu-state.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { allFlags } from './flag-bits.ts';

/** PUSH of a register, memory or immediate (sign-extended). SDM Vol. 2B "PUSH". */
export const push = define(
  'push',
  [
    form('50+r', 'Zv', 'd64'),
    form('FF /6', 'Ev', 'd64'),
    form('6A ib', 'Ib', 'd64'),
    form('68 iz', 'Iz', 'd64'),
  ],
  (b, [source]) => {
    b.push(b.shape.operandSize, source.read());
  },
);

/** EFLAGS as PUSHF stores it: RF and VM read as 0. */
function pushedFlags(b: Semantics): Value {
  return b.and(allFlags(b), b.i64(BigInt(~(EFLAGS.RF | EFLAGS.VM))));
}

/** PUSHF, PUSHFD, PUSHFQ. In virtual-8086 mode a helper checks IOPL. SDM Vol. 2B "PUSHF". */
export const pushf = define('pushf', [form('9C', '', 'd64')], (b) => {
  const size = b.shape.operandSize;
  if (b.shape.mode === 16) {
    b.helper('pushFlags', b.i32(size), b.i32(b.shape.stackSize));
  } else {
    b.push(size, pushedFlags(b));
  }
});

/** PUSHA, PUSHAD: all eight registers. SDM Vol. 2B "PUSHA". */
export const pusha = define('pusha', [form('60', '', 'no64')], (b) => {
  b.helper('pushAll', b.i32(b.shape.operandSize), b.i32(b.shape.stackSize));
});

export const pushInstructions: readonly Instruction[] = [push, pushf, pusha];
