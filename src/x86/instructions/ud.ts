import { UD } from '../fault.ts';
import { define, form, type Instruction } from '../form.ts';

/** UD2, UD1 (which takes a ModRM byte) and UD0: the opcodes that are undefined for ever. SDM Vol. 2B "UD". */
export const ud2 = define('ud2', [form('0F 0B', '', 'ends')], (b) => b.fault(UD));
export const ud1 = define('ud1', [form('0F B9 /r', 'Gv Ev', 'ends')], (b) => b.fault(UD));
export const ud0 = define('ud0', [form('0F FF /r', 'Gv Ev', 'ends')], (b) => b.fault(UD));

export const udInstructions: readonly Instruction[] = [ud2, ud1, ud0];
