import { define, form, type Instruction } from '../form.ts';

/** XADD: source ← destination, destination ← their sum. SDM Vol. 2D "XADD". */
export const xadd = define(
  'xadd',
  [form('0F C0 /r', 'Eb Gb', 'lock'), form('0F C1 /r', 'Ev Gv', 'lock')],
  (b, [destination, source]) => {
    const left = destination.readForUpdate();
    const right = source.read();
    const sum = b.signExtend(b.add(left, right), destination.width);
    if (destination.kind === 'memory') {
      destination.write(sum);
      source.write(left);
    } else {
      // With one register as both operands the sum remains.
      source.write(left);
      destination.write(sum);
    }
    b.flagsAdd(left, right, sum);
  },
);

export const xaddInstructions: readonly Instruction[] = [xadd];
