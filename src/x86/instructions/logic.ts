import type { Value } from '../../ir/mod.ts';
import { define, type Form, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';

/** The nine encodings of a two-operand ALU instruction: opcode row `row` (0x00 to 0x38), /digit. */
function aluForms(row: number, digit: number): Form[] {
  const opcode = (column: number) => (row + column).toString(16).toUpperCase().padStart(2, '0');
  return [
    form(`${opcode(0)} /r`, 'Eb Gb', 'lock'),
    form(`${opcode(1)} /r`, 'Ev Gv', 'lock'),
    form(`${opcode(2)} /r`, 'Gb Eb'),
    form(`${opcode(3)} /r`, 'Gv Ev'),
    form(`${opcode(4)} ib`, 'AL Ib'),
    form(`${opcode(5)} iz`, 'rAX Iz'),
    form(`80 /${digit} ib`, 'Eb Ib', 'lock'),
    form(`82 /${digit} ib`, 'Eb Ib', 'lock', 'no64'),
    form(`81 /${digit} iz`, 'Ev Iz', 'lock'),
    form(`83 /${digit} ib`, 'Ev Ib', 'lock'),
  ];
}

function defineLogic(
  name: string,
  row: number,
  digit: number,
  combine: (b: Semantics, left: Value, right: Value) => Value,
): Instruction {
  return define(name, aluForms(row, digit), (b, [destination, source]) => {
    const result = combine(b, destination.readForUpdate(), source.read());
    destination.write(result);
    b.flagsLogic(result);
  });
}

/** AND, OR, XOR. Sign-extended operands give a sign-extended result. SDM Vol. 2A to 2D. */
export const and = defineLogic('and', 0x20, 4, (b, left, right) => b.and(left, right));
export const or = defineLogic('or', 0x08, 1, (b, left, right) => b.or(left, right));
export const xor = defineLogic('xor', 0x30, 6, (b, left, right) => b.xor(left, right));

/** TEST: flags of left AND right. `/1` is an alias that processors accept. SDM Vol. 2B "TEST". */
export const test = define(
  'test',
  [
    form('84 /r', 'Eb Gb'),
    form('85 /r', 'Ev Gv'),
    form('A8 ib', 'AL Ib'),
    form('A9 iz', 'rAX Iz'),
    form('F6 /0 ib', 'Eb Ib'),
    form('F6 /1 ib', 'Eb Ib'),
    form('F7 /0 iz', 'Ev Iz'),
    form('F7 /1 iz', 'Ev Iz'),
  ],
  (b, [first, second]) => {
    b.flagsLogic(b.and(first.read(), second.read()));
  },
);

/** NOT: every bit inverted, no flags. SDM Vol. 2B "NOT". */
export const not = define(
  'not',
  [form('F6 /2', 'Eb', 'lock'), form('F7 /2', 'Ev', 'lock')],
  (b, [destination]) => {
    destination.write(b.not(destination.readForUpdate()));
  },
);

export const logicInstructions: readonly Instruction[] = [and, or, xor, test, not];
