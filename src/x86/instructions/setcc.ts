import { define, form, type Instruction } from '../form.ts';
import { conditionNames } from './condition-names.ts';

/** SETcc: 1 when the condition holds, else 0. ModRM.reg is ignored. SDM Vol. 2B "SETcc". */
export const setccInstructions: readonly Instruction[] = conditionNames.map((condition, code) =>
  define(
    `set${condition}`,
    [form(`0F ${(0x90 + code).toString(16).toUpperCase()} /r`, 'Eb')],
    (b, [destination]) => {
      destination.write(b.widen(b.condition(code)));
    },
  ),
);
