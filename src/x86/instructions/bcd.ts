import { define, form, type Instruction } from '../form.ts';

/** Decimal adjustments: legacy, rare, and absent from 64-bit mode, so all by helpers. SDM Vol. 2A. */
const adjust = (name: string, opcode: string) =>
  define(name, [form(opcode, '', 'no64')], (b) => b.helper(name));

export const daa = adjust('daa', '27');
export const das = adjust('das', '2F');
export const aaa = adjust('aaa', '37');
export const aas = adjust('aas', '3F');

/** AAM and AAD divide and multiply by the immediate, which is 10 in the documented encodings. */
export const aam = define('aam', [form('D4 ib', 'Ib', 'no64')], (b, [base]) => {
  b.helper('aam', b.wrap(base.readUnsigned()));
});
export const aad = define('aad', [form('D5 ib', 'Ib', 'no64')], (b, [base]) => {
  b.helper('aad', b.wrap(base.readUnsigned()));
});

export const bcdInstructions: readonly Instruction[] = [daa, das, aaa, aas, aam, aad];
