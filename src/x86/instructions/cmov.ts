import { define, form, type Instruction } from '../form.ts';
import { conditionNames } from './condition-names.ts';

/**
 * CMOVcc: the source is always read and a 32-bit destination always zero-extended; the condition only
 * chooses the value. SDM Vol. 2A "CMOVcc".
 */
export const cmovInstructions: readonly Instruction[] = conditionNames.map((condition, code) =>
  define(
    `cmov${condition}`,
    [form(`0F ${(0x40 + code).toString(16).toUpperCase()} /r`, 'Gv Ev', 'cpuid:cmov')],
    (b, [destination, source]) => {
      const moved = source.read();
      destination.write(b.select(b.condition(code), moved, destination.read()));
    },
  ),
);
