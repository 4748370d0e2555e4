import { define, form, type Instruction } from '../form.ts';

/** MOVZX: the source zero-extended. SDM Vol. 2B "MOVZX". */
export const movzx = define(
  'movzx',
  [form('0F B6 /r', 'Gv Eb'), form('0F B7 /r', 'Gv Ew')],
  (_b, [destination, source]) => {
    destination.write(source.readUnsigned());
  },
);

/** MOVSX: the source sign-extended. SDM Vol. 2B "MOVSX". */
export const movsx = define(
  'movsx',
  [form('0F BE /r', 'Gv Eb'), form('0F BF /r', 'Gv Ew')],
  (_b, [destination, source]) => {
    destination.write(source.read());
  },
);

/** MOVSXD: a doubleword sign-extended; with operands of 16 bits, a word. SDM Vol. 2B "MOVSX/MOVSXD". */
export const movsxd = define(
  'movsxd',
  [form('63 /r', 'Gv Ez', 'only64')],
  (_b, [destination, source]) => {
    destination.write(source.read());
  },
);

export const movxInstructions: readonly Instruction[] = [movzx, movsx, movsxd];
