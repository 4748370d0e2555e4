import type { Form, Instruction } from '../../src/x86/form.ts';
import {
  type OpcodeColumn,
  type OperandLetter,
  readOpcodeColumn,
  readOperandLetter,
} from './opcode-column.ts';

/** One form of one instruction, ready to be encoded with operands of all kinds. */
export interface Template {
  readonly instruction: Instruction;
  readonly form: Form;
  readonly column: OpcodeColumn;
  readonly letters: readonly OperandLetter[];
  /** `add 00 /r Eb Gb`: how the form is named in reports */
  readonly label: string;
}

/** Every form of `instructions`, in their order. */
export function templatesOf(instructions: readonly Instruction[]): Template[] {
  return instructions.flatMap((instruction) =>
    instruction.forms.map((form) => ({
      instruction,
      form,
      column: readOpcodeColumn(form),
      letters: form.operands.map(readOperandLetter),
      label: [instruction.name, form.opcode, ...form.operands].join(' '),
    })),
  );
}

/** Whether a filter word names this form: part of its label, or of an attribute (`sse`, `fpu`, `cpuid:sse4_1`). */
export function matches(template: Template, word: string): boolean {
  return (
    template.label.toLowerCase().includes(word) ||
    template.form.attributes.some((attribute) => attribute.includes(word))
  );
}
