import { define, form, type Instruction } from '../form.ts';
import { gprOffset, RAX } from '../state.ts';

/** XCHG with a memory operand is locked even without the prefix. SDM Vol. 2D "XCHG". */
export const xchg = define(
  'xchg',
  [form('86 /r', 'Eb Gb', 'lock'), form('87 /r', 'Ev Gv', 'lock')],
  (_b, [first, second]) => {
    const left = first.readForUpdate();
    const right = second.read();
    first.write(right);
    second.write(left);
  },
);

/**
 * XCHG with rAX in one byte. 90 exchanges rAX with itself, which is NOP: unlike any other 32-bit
 * exchange it does not clear the upper half of RAX. PAUSE is the same with an F3 prefix. With REX.B
 * both are an exchange with R8.
 */
export const xchgAccumulator = define(
  'xchg',
  [form('90+r', 'Zv rAX')],
  (b, [first, accumulator]) => {
    if (first.width !== 32) {
      const left = first.read();
      const right = accumulator.read();
      first.write(right);
      accumulator.write(left);
      return;
    }
    const other = b.readState(b.slot('a'), 'i64');
    const own = b.readGpr(RAX, 64);
    const isNop = b.eq(b.fieldOffset(b.slot('a')), b.i32(gprOffset(RAX)));
    b.writeState(b.slot('a'), 'i64', b.select(isNop, own, b.zeroExtend(own, 32)));
    b.writeGpr(RAX, 64, b.select(isNop, own, b.zeroExtend(other, 32)));
  },
);

export const xchgInstructions: readonly Instruction[] = [xchg, xchgAccumulator];
