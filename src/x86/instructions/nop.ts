import { define, form, type Instruction } from '../form.ts';

/**
 * NOP with operand and the rest of the hint space 0F 18 to 0F 1F (PREFETCHh, ENDBR32/64, MPX and CET
 * instructions while those are off), and PREFETCHW. Operands are not touched. SDM Vol. 2B "NOP".
 * The plain NOP, 90, and PAUSE, F3 90, are XCHG of rAX with itself: see xchg.ts.
 */
export const nop = define(
  'nop',
  [
    form('0F 18 /r', 'Ev'),
    form('0F 19 /r', 'Ev'),
    form('0F 1A /r', 'Ev'),
    form('0F 1B /r', 'Ev'),
    form('0F 1C /r', 'Ev'),
    form('0F 1D /r', 'Ev'),
    form('0F 1E /r', 'Ev'),
    form('0F 1F /r', 'Ev'),
  ],
  () => {},
);

/** PREFETCH and PREFETCHW: hints. SDM Vol. 2B "PREFETCHW". */
export const prefetchw = define('prefetchw', [form('0F 0D /r', 'Mb')], () => {});

export const nopInstructions: readonly Instruction[] = [nop, prefetchw];
