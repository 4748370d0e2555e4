/** x87 arithmetic and comparison. SDM Vol. 1, 8.3.5 to 8.3.9. */
import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import { KIND_F32, KIND_F64, KIND_I16, KIND_I32 } from '../fpu/memory-kinds.ts';
import { OP_ADD, OP_DIV, OP_DIVR, OP_MUL, OP_SUB, OP_SUBR } from '../fpu/operate.ts';
import {
  QUICK_EQUAL,
  QUICK_NEGATE_LEFT,
  QUICK_NEGATE_RIGHT,
  QUICK_POP,
  QUICK_REVERSE,
} from '../fpu/quick/routines.ts';
import { STATE } from '../state.ts';
import { quickly } from './quickly.ts';
import {
  checkPending,
  halvesOf,
  loadKind,
  type Quick,
  recordOperand,
  registerInstruction,
  sameArguments,
  stackInstruction,
} from './x87-shared.ts';

/** Memory operand formats of the arithmetic opcodes: opcode, operand, kind, prefix of the name. */
const SOURCES = [
  ['D8', 'Md', KIND_F32, 'f'],
  ['DC', 'Mq', KIND_F64, 'f'],
  ['DA', 'Md', KIND_I32, 'fi'],
  ['DE', 'Mw', KIND_I16, 'fi'],
] as const;

const byte = (value: number): string => value.toString(16).toUpperCase();

/**
 * All encodings of one operation, whose number is its ModRM.reg. With ST(i) as destination the
 * encodings of subtraction and division are those of their reverses.
 */
function operation(name: string, op: number): Instruction[] {
  const reversed = op >= OP_SUB ? op ^ 1 : op;
  const toTop = byte(0xc0 + 8 * op);
  const toRegister = byte(0xc0 + 8 * reversed);
  return [
    ...SOURCES.map(([opcode, operand, kind, prefix]) =>
      define(
        `${prefix}${name}`,
        [form(`${opcode} /${op} mod!=3`, operand, 'fpu')],
        (b, [memory]) => {
          checkPending(b);
          const value = loadKind(b, kind, memory);
          const { routine, flags } = quickOf(op);
          quickly(b, `${routine}Memory`, [b.i32(kind), value, b.i32(flags)], () =>
            b.helper('x87BinaryMemory', b.i32(op), b.i32(kind), ...halvesOf(b, value)),
          );
          recordOperand(b, memory);
        },
      ),
    ),
    registerInstruction(`f${name}`, [`D8 ${toTop}+i`], 'x87Binary', [op, 0, 'i', 0], quick(op, 0)),
    registerInstruction(
      `f${name}`,
      [`DC ${toRegister}+i`],
      'x87Binary',
      [op, 'i', 0, 0],
      quick(op, 0),
    ),
    registerInstruction(
      `f${name}p`,
      [`DE ${toRegister}+i`],
      'x87Binary',
      [op, 'i', 0, 1],
      quick(op, QUICK_POP),
    ),
  ];
}

/** The routine for an operation, and the flags that make it that operation. */
function quickOf(op: number): { routine: string; flags: number } {
  switch (op) {
    case OP_ADD:
      return { routine: 'x87QuickAdd', flags: 0 };
    case OP_SUB:
      return { routine: 'x87QuickAdd', flags: QUICK_NEGATE_RIGHT };
    case OP_SUBR:
      return { routine: 'x87QuickAdd', flags: QUICK_NEGATE_LEFT };
    case OP_MUL:
      return { routine: 'x87QuickMultiply', flags: 0 };
    case OP_DIV:
      return { routine: 'x87QuickDivide', flags: 0 };
    default:
      return { routine: 'x87QuickDivide', flags: QUICK_REVERSE };
  }
}

/** The same as a way for register operands: destination and source are the helper's. */
function quick(op: number, more: number): Quick {
  const { routine, flags } = quickOf(op);
  return {
    routine,
    args: (b, [, destination, source]) => [
      destination as Value,
      source as Value,
      b.i32(flags | more),
    ],
  };
}

/** FCOM, FUCOM: the helper's arguments without the one that says whether NaNs are quiet. */
const quickCompare: Quick = {
  routine: 'x87QuickCompare',
  args: (_b, [index, , pops]) => [index as Value, pops as Value],
};

/** FCOMI, FUCOMI: the result goes to ZF and CF; PF, OF, SF and AF are cleared. */
const quickFlags: Quick = {
  routine: 'x87QuickCompareFlags',
  args: quickCompare.args,
  after: (b) => (result) => {
    b.setZeroFrom(b.widen(b.eqz(b.and(result, b.i32(QUICK_EQUAL)))));
    b.setCarry(b.and(b.shrU(result, b.i32(1)), b.i32(1)));
    // A positive value of odd parity: SF = PF = 0.
    b.writeField(STATE.flagS, b.i64(1));
    b.setOverflowSign(b.i64(0));
    b.setAdjustBit4(b.i64(0));
  },
};

/** FCOM and FICOM with a memory operand: ModRM.reg 2, or 3 to pop. */
function compareMemory(name: string, digit: number): Instruction[] {
  return SOURCES.map(([opcode, operand, kind, prefix]) =>
    define(
      `${prefix}${name}`,
      [form(`${opcode} /${digit} mod!=3`, operand, 'fpu')],
      (b, [memory]) => {
        checkPending(b);
        const value = loadKind(b, kind, memory);
        const pops = b.i32(digit - 2);
        quickly(b, 'x87QuickCompareMemory', [b.i32(kind), value, pops], () =>
          b.helper('x87CompareMemory', b.i32(kind), ...halvesOf(b, value), pops),
        );
        recordOperand(b, memory);
      },
    ),
  );
}

function compare(
  name: string,
  opcodes: readonly string[],
  quiet: number,
  pops: number,
): Instruction {
  return registerInstruction(name, opcodes, 'x87Compare', ['i', quiet, pops], quickCompare);
}

/** FCOMI and kin: with CMOV. */
function compareToFlags(name: string, opcode: string, quiet: number, pops: number): Instruction {
  const numbers = ['i', quiet, pops] as const;
  return registerInstruction(
    name,
    [opcode],
    'x87CompareToFlags',
    numbers,
    quickFlags,
    'cpuid:cmov',
  );
}

export const x87ArithmeticInstructions: Instruction[] = [
  ...operation('add', OP_ADD),
  ...operation('mul', OP_MUL),
  ...operation('sub', OP_SUB),
  ...operation('subr', OP_SUBR),
  ...operation('div', OP_DIV),
  ...operation('divr', OP_DIVR),

  ...compareMemory('com', 2),
  ...compareMemory('comp', 3),
  compare('fcom', ['D8 D0+i', 'DC D0+i'], 0, 0),
  compare('fcomp', ['D8 D8+i', 'DC D8+i', 'DE D0+i'], 0, 1),
  stackInstruction('fcompp', 'DE D9', 'x87Compare', [1, 0, 2], quickCompare),
  compare('fucom', ['DD E0+i'], 1, 0),
  compare('fucomp', ['DD E8+i'], 1, 1),
  stackInstruction('fucompp', 'DA E9', 'x87Compare', [1, 1, 2], quickCompare),
  compareToFlags('fcomi', 'DB F0+i', 0, 0),
  compareToFlags('fcomip', 'DF F0+i', 0, 1),
  compareToFlags('fucomi', 'DB E8+i', 1, 0),
  compareToFlags('fucomip', 'DF E8+i', 1, 1),

  stackInstruction('fchs', 'D9 E0', 'x87ChangeSign', [0], sameArguments('x87QuickSign')),
  stackInstruction('fabs', 'D9 E1', 'x87ChangeSign', [1], sameArguments('x87QuickSign')),
  stackInstruction('ftst', 'D9 E4', 'x87Test', [], {
    routine: 'x87QuickCompareMemory',
    args: (b) => [b.i32(KIND_I32), b.i64(0), b.i32(0)],
  }),
  stackInstruction('fxam', 'D9 E5', 'x87Examine'),
  stackInstruction('fxtract', 'D9 F4', 'x87Extract'),
  stackInstruction('fprem1', 'D9 F5', 'x87RemainderNearest'),
  stackInstruction('fprem', 'D9 F8', 'x87Remainder'),
  stackInstruction('fsqrt', 'D9 FA', 'x87SquareRoot', [], sameArguments('x87QuickRoot')),
  stackInstruction('frndint', 'D9 FC', 'x87RoundToInteger'),
  stackInstruction('fscale', 'D9 FD', 'x87Scale'),

  stackInstruction('f2xm1', 'D9 F0', 'x87Exp2m1'),
  stackInstruction('fyl2x', 'D9 F1', 'x87YLog2x'),
  stackInstruction('fptan', 'D9 F2', 'x87Tangent'),
  stackInstruction('fpatan', 'D9 F3', 'x87ArcTangent'),
  stackInstruction('fyl2xp1', 'D9 F9', 'x87YLog2xPlus1'),
  stackInstruction('fsincos', 'D9 FB', 'x87SineCosine'),
  stackInstruction('fsin', 'D9 FE', 'x87Sine'),
  stackInstruction('fcos', 'D9 FF', 'x87Cosine'),
];
