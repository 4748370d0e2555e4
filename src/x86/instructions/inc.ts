import { define, form, type Instruction } from '../form.ts';

/** INC: destination ← destination + 1; CF is kept. SDM Vol. 2A "INC". */
export const inc = define(
  'inc',
  [form('FE /0', 'Eb', 'lock'), form('FF /0', 'Ev', 'lock'), form('40+r', 'Zv', 'no64')],
  (b, [destination]) => {
    const left = destination.readForUpdate();
    const sum = b.signExtend(b.add(left, b.i64(1)), destination.width);
    destination.write(sum);
    const changed = b.xor(left, sum);
    b.setResult(sum);
    b.setOverflowSign(b.and(changed, sum));
    // Bit 4 of the addend 1 is clear, so AF is the change of bit 4.
    b.setAdjustBit4(changed);
  },
);

/** DEC: destination ← destination − 1; CF is kept. SDM Vol. 2A "DEC". */
export const dec = define(
  'dec',
  [form('FE /1', 'Eb', 'lock'), form('FF /1', 'Ev', 'lock'), form('48+r', 'Zv', 'no64')],
  (b, [destination]) => {
    const left = destination.readForUpdate();
    const difference = b.signExtend(b.sub(left, b.i64(1)), destination.width);
    destination.write(difference);
    const changed = b.xor(left, difference);
    b.setResult(difference);
    b.setOverflowSign(b.and(changed, left));
    b.setAdjustBit4(changed);
  },
);

export const incInstructions: readonly Instruction[] = [inc, dec];
