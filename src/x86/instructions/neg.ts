import { define, form, type Instruction } from '../form.ts';

/** NEG: destination ← 0 − destination. SDM Vol. 2B "NEG". */
export const neg = define(
  'neg',
  [form('F6 /3', 'Eb', 'lock'), form('F7 /3', 'Ev', 'lock')],
  (b, [destination]) => {
    const value = destination.readForUpdate();
    const result = b.signExtend(b.neg(value), destination.width);
    destination.write(result);
    b.setResult(result);
    b.setCarry(b.nez(value));
    b.setOverflowSign(b.and(value, result));
    b.setAdjustBit4(b.xor(value, result));
  },
);

export const negInstructions: readonly Instruction[] = [neg];
