import { define, form, type Instruction } from '../form.ts';
import { STATE } from '../state.ts';

/** EMMS: all x87 registers become empty. TOP is cleared as by every MMX instruction. SDM Vol. 2A "EMMS". */
export const emms = define('emms', [form('NP 0F 77', '', 'mmx', 'cpuid:mmx')], (b) => {
  b.writeField32(STATE.fpuTop, b.i32(0));
  b.writeField32(STATE.fpuValid, b.i32(0));
});

export const mmxControlInstructions: readonly Instruction[] = [emms];
