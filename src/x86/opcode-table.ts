import { type Encoding, parseForm, specificity } from './encoding.ts';
import type { Instruction } from './form.ts';

/** Candidates by `vex ? 4 : 0 + map` and opcode byte, most specific first. */
export interface OpcodeTable {
  readonly encodings: readonly Encoding[];
  /** index: (map + (vex ? 4 : 0)) * 256 + opcode */
  readonly candidates: readonly (readonly Encoding[] | undefined)[];
}

/** Builds the decode tables from the definitions. Throws when two forms cannot be told apart. */
export function buildOpcodeTable(instructions: readonly Instruction[]): OpcodeTable {
  const encodings: Encoding[] = [];
  const candidates: (Encoding[] | undefined)[] = new Array(8 * 256).fill(undefined);
  for (const instruction of instructions) {
    for (const form of instruction.forms) {
      const encoding = parseForm(encodings.length, instruction, form);
      encodings.push(encoding);
      const last = encoding.plus ? 7 : 0;
      for (let low = 0; low <= last; low++) {
        const index =
          (encoding.map + (encoding.vex === undefined ? 0 : 4)) * 256 + encoding.opcode + low;
        const list = candidates[index] ?? [];
        list.push(encoding);
        candidates[index] = list;
      }
    }
  }
  for (const list of candidates) {
    if (list === undefined) continue;
    list.sort((left, right) => specificity(right) - specificity(left));
    for (let i = 0; i < list.length; i++) {
      for (let j = i + 1; j < list.length; j++)
        rejectAmbiguous(list[i] as Encoding, list[j] as Encoding);
    }
  }
  return { encodings, candidates };
}

function rejectAmbiguous(left: Encoding, right: Encoding): void {
  const same =
    left.prefix === right.prefix &&
    left.digit === right.digit &&
    left.modrm === right.modrm &&
    left.mod === right.mod &&
    left.w === right.w &&
    left.vex?.l === right.vex?.l &&
    left.attributes.has('no64') === right.attributes.has('no64') &&
    left.attributes.has('only64') === right.attributes.has('only64');
  if (same) {
    throw new Error(
      `Vivarium internal error: forms overlap: ${left.instruction.name} ${left.form.opcode} and ${right.instruction.name} ${right.form.opcode}`,
    );
  }
}
