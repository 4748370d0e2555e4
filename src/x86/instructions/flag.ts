import { define, type Form, form, type Instruction } from '../form.ts';
import { RAX, STATE } from '../state.ts';
import { lowFlagBits, setLowFlagBits } from './flag-bits.ts';

/** EFLAGS.DF */
const DIRECTION = 1 << 10;

/** CLC, STC, CMC, CLD, STD. SDM Vol. 2A, 2B. */
export const clc = define('clc', [form('F8')], (b) => b.setCarry(b.i32(0)));
export const stc = define('stc', [form('F9')], (b) => b.setCarry(b.i32(1)));
export const cmc = define('cmc', [form('F5')], (b) => b.setCarry(b.eqz(b.carry)));
export const cld = define('cld', [form('FC')], (b) => {
  b.writeField32(STATE.eflags, b.and(b.readField32(STATE.eflags), b.i32(~DIRECTION)));
});
export const std = define('std', [form('FD')], (b) => {
  b.writeField32(STATE.eflags, b.or(b.readField32(STATE.eflags), b.i32(DIRECTION)));
});

/** LAHF and SAHF came to 64-bit mode later, with a feature of their own. */
function inLongMode(opcode: string): Form[] {
  return [form(opcode, '', 'no64'), form(opcode, '', 'only64', 'cpuid:lahf_lm')];
}

/** LAHF: AH ← SF ZF 0 AF 0 PF 1 CF. SDM Vol. 2A "LAHF". */
export const lahf = define('lahf', inLongMode('9F'), (b) => b.writeHighByte(RAX, lowFlagBits(b)));

/** SAHF: SF, ZF, AF, PF, CF from AH. SDM Vol. 2B "SAHF". */
export const sahf = define('sahf', inLongMode('9E'), (b) => setLowFlagBits(b, b.readHighByte(RAX)));

/** SALC, undocumented: AL ← CF ? FFH : 0. */
export const salc = define('salc', [form('D6', '', 'no64')], (b) => {
  b.writeGpr(RAX, 8, b.neg(b.widen(b.carry)));
});

export const flagInstructions: readonly Instruction[] = [clc, stc, cmc, cld, std, lahf, sahf, salc];
