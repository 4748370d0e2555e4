import { define, form, type Instruction } from '../form.ts';

/** LEA: the effective address, without its segment's base. SDM Vol. 2A "LEA". */
export const lea = define('lea', [form('8D /r', 'Gv M')], (_b, [destination, memory]) => {
  destination.write(memory.offset());
});

export const leaInstructions: readonly Instruction[] = [lea];
