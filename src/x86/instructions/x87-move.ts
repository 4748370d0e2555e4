/** x87 loads, stores, exchanges and conditional moves. SDM Vol. 1, 8.3.3. */
import { define, form, type Instruction } from '../form.ts';
import {
  KIND_F32,
  KIND_F64,
  KIND_I16,
  KIND_I32,
  KIND_I64,
  KIND_TRUNCATE,
  kindBytes,
} from '../fpu/memory-kinds.ts';
import type { Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';
import { quickly } from './quickly.ts';
import {
  checkPending,
  halvesOf,
  loadKind,
  recordInstruction,
  recordOperand,
  registerInstruction,
  sameArguments,
  stackInstruction,
  stackNumber,
  writeField16,
} from './x87-shared.ts';

/** FLD m32/m64 and FILD. */
function load(name: string, opcode: string, operand: string, kind: number): Instruction {
  return define(name, [form(`${opcode} mod!=3`, operand, 'fpu')], (b, [memory]) => {
    checkPending(b);
    const value = loadKind(b, kind, memory);
    quickly(b, 'x87QuickLoad', [b.i32(kind), value], () =>
      b.helper('x87Load', b.i32(kind), ...halvesOf(b, value)),
    );
    recordOperand(b, memory);
  });
}

/** FST, FSTP, FIST, FISTP and FISTTP. */
function store(
  name: string,
  opcode: string,
  operand: string,
  kind: number,
  pops: number,
): Instruction {
  const gate = kind >= KIND_TRUNCATE ? (['cpuid:sse3'] as const) : [];
  return define(name, [form(`${opcode} mod!=3`, operand, 'fpu', ...gate)], (b, [memory]) => {
    checkPending(b);
    quickly(
      b,
      'x87QuickStoring',
      [b.i32(kind)],
      () => b.helper('x87Store', b.i32(kind), memory.address(), b.i32(pops)),
      () => {
        const bits = (kindBytes(kind) * 8) as 16 | 32 | 64;
        b.store(memory.address(), bits, b.readField(STATE.scratch));
        afterStore(b, pops);
      },
    );
    recordOperand(b, memory);
  });
}

/** Completes a store that was prepared by a routine: the status word it left, and the pop. */
function afterStore(b: Semantics, pops: number): void {
  writeField16(b, STATE.fpuStatus, b.readField32(STATE.scratch + 8));
  if (pops === 0) return;
  const top = b.readField32(STATE.fpuTop);
  const valid = b.readField32(STATE.fpuValid);
  b.writeField32(STATE.fpuValid, b.and(valid, b.not(b.shl(b.i32(1), top))));
  b.writeField32(STATE.fpuTop, b.and(b.add(top, b.i32(1)), b.i32(7)));
}

/** FLD m80. */
const load80 = define('fld', [form('DB /5 mod!=3', 'M', 'fpu')], (b, [memory]) => {
  checkPending(b);
  const significand = b.load(memory.address(), 64);
  const high = b.load(b.add(memory.address(), b.i64(8)), 16);
  quickly(b, 'x87QuickPush', [significand, b.wrap(high), b.i32(1)], () =>
    b.helper('x87Load80', memory.address()),
  );
  recordOperand(b, memory);
});

/** FSTP m80. */
const store80 = define('fstp', [form('DB /7 mod!=3', 'M', 'fpu')], (b, [memory]) => {
  checkPending(b);
  const careful = (): void => b.helper('x87Store80', memory.address());
  // Two stores, each checked against its segment, could fault in the middle.
  if (b.shape.checked === true) careful();
  else
    quickly(b, 'x87QuickStoring80', [], careful, () => {
      // Both pieces can be written, or none is.
      const upper = b.add(memory.address(), b.i64(8));
      b.loadForUpdate(memory.address(), 64);
      b.loadForUpdate(upper, 16);
      b.store(memory.address(), 64, b.readField(STATE.scratch));
      b.store(upper, 16, b.readField(STATE.scratch + 16));
      afterStore(b, 1);
    });
  recordOperand(b, memory);
});

/** Ten-byte operands: the helper moves the bytes. */
function tenBytes(name: string, opcode: string, helper: string): Instruction {
  return define(name, [form(`${opcode} mod!=3`, 'M', 'fpu')], (b, [memory]) => {
    checkPending(b);
    b.helper(helper, memory.address());
    recordOperand(b, memory);
  });
}

/** FCMOVcc ST(0), ST(i), on condition code `code` of Jcc. SDM Vol. 2A "FCMOVcc". */
function conditionalMove(name: string, opcode: string, code: number): Instruction {
  return define(name, [form(opcode, 'STi', 'fpu', 'cpuid:cmov')], (b, [register]) => {
    const args = [b.condition(code), stackNumber(b, register)] as const;
    quickly(b, 'x87QuickMoveIf', args, () => {
      checkPending(b);
      b.helper('x87ConditionalMove', ...args);
    });
    recordInstruction(b);
  });
}

/** The constants of FLD1 to FLDZ, rounded to nearest: significand, sign and exponent. SDM Vol. 1, 8.3.4. */
const CONSTANTS = [
  [0x8000000000000000n, 0x3fff],
  [0xd49a784bcd1b8afen, 0x4000],
  [0xb8aa3b295c17f0bcn, 0x3fff],
  [0xc90fdaa22168c235n, 0x4000],
  [0x9a209a84fbcff799n, 0x3ffd],
  [0xb17217f7d1cf79acn, 0x3ffe],
  [0n, 0],
] as const;

const quickStore = sameArguments('x87QuickStoreRegister');

export const x87MoveInstructions: Instruction[] = [
  load('fld', 'D9 /0', 'Md', KIND_F32),
  load('fld', 'DD /0', 'Mq', KIND_F64),
  load80,
  registerInstruction(
    'fld',
    ['D9 C0+i'],
    'x87LoadRegister',
    ['i'],
    sameArguments('x87QuickLoadRegister'),
  ),
  load('fild', 'DF /0', 'Mw', KIND_I16),
  load('fild', 'DB /0', 'Md', KIND_I32),
  load('fild', 'DF /5', 'Mq', KIND_I64),
  tenBytes('fbld', 'DF /4', 'x87LoadDecimal'),

  store('fst', 'D9 /2', 'Md', KIND_F32, 0),
  store('fst', 'DD /2', 'Mq', KIND_F64, 0),
  registerInstruction('fst', ['DD D0+i'], 'x87StoreRegister', ['i', 0], quickStore),
  store('fstp', 'D9 /3', 'Md', KIND_F32, 1),
  store('fstp', 'DD /3', 'Mq', KIND_F64, 1),
  store80,
  registerInstruction(
    'fstp',
    ['DD D8+i', 'DF D0+i', 'DF D8+i'],
    'x87StoreRegister',
    ['i', 1],
    quickStore,
  ),
  registerInstruction('fstpnce', ['D9 D8+i'], 'x87StoreRegisterQuietly', ['i']),
  store('fist', 'DF /2', 'Mw', KIND_I16, 0),
  store('fist', 'DB /2', 'Md', KIND_I32, 0),
  store('fistp', 'DF /3', 'Mw', KIND_I16, 1),
  store('fistp', 'DB /3', 'Md', KIND_I32, 1),
  store('fistp', 'DF /7', 'Mq', KIND_I64, 1),
  store('fisttp', 'DF /1', 'Mw', KIND_I16 + KIND_TRUNCATE, 1),
  store('fisttp', 'DB /1', 'Md', KIND_I32 + KIND_TRUNCATE, 1),
  store('fisttp', 'DD /1', 'Mq', KIND_I64 + KIND_TRUNCATE, 1),
  tenBytes('fbstp', 'DF /6', 'x87StoreDecimal'),

  registerInstruction(
    'fxch',
    ['D9 C8+i', 'DD C8+i', 'DF C8+i'],
    'x87Exchange',
    ['i'],
    sameArguments('x87QuickExchange'),
  ),
  registerInstruction('ffree', ['DD C0+i'], 'x87Free', ['i', 0]),
  registerInstruction('ffreep', ['DF C0+i'], 'x87Free', ['i', 1]),

  conditionalMove('fcmovb', 'DA C0+i', 2),
  conditionalMove('fcmove', 'DA C8+i', 4),
  conditionalMove('fcmovbe', 'DA D0+i', 6),
  conditionalMove('fcmovu', 'DA D8+i', 10),
  conditionalMove('fcmovnb', 'DB C0+i', 3),
  conditionalMove('fcmovne', 'DB C8+i', 5),
  conditionalMove('fcmovnbe', 'DB D0+i', 7),
  conditionalMove('fcmovnu', 'DB D8+i', 11),

  ...['fld1', 'fldl2t', 'fldl2e', 'fldpi', 'fldlg2', 'fldln2', 'fldz'].map((name, i) =>
    stackInstruction(name, `D9 E${(8 + i).toString(16).toUpperCase()}`, 'x87LoadConstant', [i], {
      routine: 'x87QuickPush',
      args: (b) => {
        const [significand, high] = CONSTANTS[i] as (typeof CONSTANTS)[number];
        // 1 and 0 are exact.
        return [b.i64(significand), b.i32(high), b.i32(i === 0 || i === 6 ? 1 : 0)];
      },
    }),
  ),
];
