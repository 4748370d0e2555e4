/** x87 loads, stores, exchanges and conditional moves. SDM Vol. 1, 8.3.3. */
import { define, form, type Instruction } from '../form.ts';
import {
  KIND_F32,
  KIND_F64,
  KIND_I16,
  KIND_I32,
  KIND_I64,
  KIND_TRUNCATE,
} from '../fpu/memory-kinds.ts';
import {
  checkPending,
  loadHalves,
  recordInstruction,
  recordOperand,
  registerInstruction,
  stackInstruction,
  stackNumber,
} from './x87-shared.ts';

/** FLD m32/m64 and FILD. */
function load(name: string, opcode: string, operand: string, kind: number): Instruction {
  return define(name, [form(`${opcode} mod!=3`, operand, 'fpu')], (b, [memory]) => {
    checkPending(b);
    const [low, high] = loadHalves(b, kind, memory);
    b.helper('x87Load', b.i32(kind), low, high);
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
    b.helper('x87Store', b.i32(kind), memory.address(), b.i32(pops));
    recordOperand(b, memory);
  });
}

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
    checkPending(b);
    b.helper('x87ConditionalMove', b.condition(code), stackNumber(b, register));
    recordInstruction(b);
  });
}

export const x87MoveInstructions: Instruction[] = [
  load('fld', 'D9 /0', 'Md', KIND_F32),
  load('fld', 'DD /0', 'Mq', KIND_F64),
  tenBytes('fld', 'DB /5', 'x87Load80'),
  registerInstruction('fld', ['D9 C0+i'], 'x87LoadRegister', 'i'),
  load('fild', 'DF /0', 'Mw', KIND_I16),
  load('fild', 'DB /0', 'Md', KIND_I32),
  load('fild', 'DF /5', 'Mq', KIND_I64),
  tenBytes('fbld', 'DF /4', 'x87LoadDecimal'),

  store('fst', 'D9 /2', 'Md', KIND_F32, 0),
  store('fst', 'DD /2', 'Mq', KIND_F64, 0),
  registerInstruction('fst', ['DD D0+i'], 'x87StoreRegister', 'i', 0),
  store('fstp', 'D9 /3', 'Md', KIND_F32, 1),
  store('fstp', 'DD /3', 'Mq', KIND_F64, 1),
  tenBytes('fstp', 'DB /7', 'x87Store80'),
  registerInstruction('fstp', ['DD D8+i', 'DF D0+i', 'DF D8+i'], 'x87StoreRegister', 'i', 1),
  registerInstruction('fstpnce', ['D9 D8+i'], 'x87StoreRegisterQuietly', 'i'),
  store('fist', 'DF /2', 'Mw', KIND_I16, 0),
  store('fist', 'DB /2', 'Md', KIND_I32, 0),
  store('fistp', 'DF /3', 'Mw', KIND_I16, 1),
  store('fistp', 'DB /3', 'Md', KIND_I32, 1),
  store('fistp', 'DF /7', 'Mq', KIND_I64, 1),
  store('fisttp', 'DF /1', 'Mw', KIND_I16 + KIND_TRUNCATE, 1),
  store('fisttp', 'DB /1', 'Md', KIND_I32 + KIND_TRUNCATE, 1),
  store('fisttp', 'DD /1', 'Mq', KIND_I64 + KIND_TRUNCATE, 1),
  tenBytes('fbstp', 'DF /6', 'x87StoreDecimal'),

  registerInstruction('fxch', ['D9 C8+i', 'DD C8+i', 'DF C8+i'], 'x87Exchange', 'i'),
  registerInstruction('ffree', ['DD C0+i'], 'x87Free', 'i', 0),
  registerInstruction('ffreep', ['DF C0+i'], 'x87Free', 'i', 1),

  conditionalMove('fcmovb', 'DA C0+i', 2),
  conditionalMove('fcmove', 'DA C8+i', 4),
  conditionalMove('fcmovbe', 'DA D0+i', 6),
  conditionalMove('fcmovu', 'DA D8+i', 10),
  conditionalMove('fcmovnb', 'DB C0+i', 3),
  conditionalMove('fcmovne', 'DB C8+i', 5),
  conditionalMove('fcmovnbe', 'DB D0+i', 7),
  conditionalMove('fcmovnu', 'DB D8+i', 11),

  stackInstruction('fld1', 'D9 E8', 'x87LoadConstant', 0),
  stackInstruction('fldl2t', 'D9 E9', 'x87LoadConstant', 1),
  stackInstruction('fldl2e', 'D9 EA', 'x87LoadConstant', 2),
  stackInstruction('fldpi', 'D9 EB', 'x87LoadConstant', 3),
  stackInstruction('fldlg2', 'D9 EC', 'x87LoadConstant', 4),
  stackInstruction('fldln2', 'D9 ED', 'x87LoadConstant', 5),
  stackInstruction('fldz', 'D9 EE', 'x87LoadConstant', 6),
];
