import { define, form, type Instruction } from '../form.ts';
import { RAX, RBX } from '../state.ts';
import { dataAddress } from './addressing.ts';

/** XLAT: AL ← byte at rBX + AL. SDM Vol. 2D "XLAT". */
export const xlat = define('xlat', [form('D7')], (b) => {
  const offset = b.add(b.readGpr(RBX, b.shape.addressSize), b.readGprUnsigned(RAX, 8));
  b.writeGpr(RAX, 8, b.load(dataAddress(b, offset), 8));
});

export const xlatInstructions: readonly Instruction[] = [xlat];
