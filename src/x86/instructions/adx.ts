import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';

/** ADCX: destination ← destination + source + CF; changes CF alone. SDM Vol. 2A "ADCX". */
export const adcx = define(
  'adcx',
  [form('66 0F 38 F6 /r', 'Gy Ey', 'cpuid:adx')],
  (b, [destination, source]) => {
    const left = destination.readUnsigned();
    const carry = b.carry;
    const sum = b.add(b.add(left, source.readUnsigned()), b.widen(carry));
    destination.write(sum);
    b.setCarry(carryOut(b, left, sum, carry, destination.width));
  },
);

/** ADOX: the same with OF for CF. SDM Vol. 2A "ADOX". */
export const adox = define(
  'adox',
  [form('F3 0F 38 F6 /r', 'Gy Ey', 'cpuid:adx')],
  (b, [destination, source]) => {
    const left = destination.readUnsigned();
    const carry = b.overflowFlag;
    const sum = b.add(b.add(left, source.readUnsigned()), b.widen(carry));
    destination.write(sum);
    b.setOverflowSign(b.neg(b.widen(carryOut(b, left, sum, carry, destination.width))));
  },
);

function carryOut(
  b: Parameters<Instruction['semantics']>[0],
  left: Value,
  sum: Value,
  carryIn: Value,
  width: number,
): Value {
  if (width === 32) return b.wrap(b.shrU(sum, b.i64(32)));
  return b.or(b.ltU(sum, left), b.and(carryIn, b.eq(sum, left)));
}

export const adxInstructions: readonly Instruction[] = [adcx, adox];
