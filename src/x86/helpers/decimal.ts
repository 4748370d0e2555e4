/** DAA, DAS, AAA, AAS, AAM, AAD. SDM Vol. 2A; flags the manual leaves undefined are kept. */
import type { Cpu, Helper } from '../cpu.ts';
import { type CpuState, EFLAGS } from '../cpu-state.ts';
import { DE, GuestFault } from '../fault.ts';
import { gprOffset, RAX } from '../state.ts';

const { CF, AF, PF, ZF, SF, OF } = EFLAGS;

const readAx = (state: CpuState): number => state.get16(gprOffset(RAX));
const writeAx = (state: CpuState, value: number): void => state.set16(gprOffset(RAX), value);

function writeAl(state: CpuState, value: number): void {
  state.u8[gprOffset(RAX)] = value;
}

/** SF, ZF and PF of a byte. */
function resultFlags(byte: number): number {
  let ones = 0;
  for (let bits = byte; bits !== 0; bits >>= 1) ones ^= bits & 1;
  return (ones === 0 ? PF : 0) | (byte === 0 ? ZF : 0) | ((byte & 0x80) === 0 ? 0 : SF);
}

function replaceFlags(state: CpuState, mask: number, flags: number): void {
  state.setFlags((state.getFlags() & ~mask) | flags);
}

/** DAA (`sign` 1) and DAS (`sign` -1): AL corrected to two packed decimal digits. */
function adjustPacked(state: CpuState, sign: 1 | -1): void {
  const before = readAx(state) & 0xff;
  const flags = state.getFlags();
  const lowDigit = (before & 15) > 9 || (flags & AF) !== 0;
  const highDigit = before > 0x99 || (flags & CF) !== 0;
  const correction = (lowDigit ? 6 : 0) + (highDigit ? 0x60 : 0);
  const after = (before + sign * correction) & 0xff;
  // DAS keeps the borrow of its first step; DAA's carry there implies the second.
  const borrowed = sign < 0 && lowDigit && before < 6;
  const carry = highDigit || borrowed;
  writeAl(state, after);
  replaceFlags(
    state,
    CF | AF | PF | ZF | SF,
    (carry ? CF : 0) | (lowDigit ? AF : 0) | resultFlags(after),
  );
}

/** AAA and AAS: AL corrected to one unpacked digit, AH counted up or down. */
function adjustUnpacked(state: CpuState, change: number): void {
  const before = readAx(state);
  const adjust = (before & 15) > 9 || (state.getFlags() & AF) !== 0;
  writeAx(state, (before + (adjust ? change : 0)) & 0xff0f);
  replaceFlags(state, CF | AF, adjust ? CF | AF : 0);
}

function aam(cpu: Cpu, base: number): void {
  if (base === 0) throw new GuestFault(DE);
  const al = readAx(cpu.state) & 0xff;
  writeAx(cpu.state, (Math.trunc(al / base) << 8) | (al % base));
  // CF, AF and OF are undefined; AMD processors clear them.
  replaceFlags(cpu.state, CF | AF | OF | PF | ZF | SF, resultFlags(al % base));
}

function aad(cpu: Cpu, base: number): void {
  const ax = readAx(cpu.state);
  const al = ((ax & 0xff) + (ax >> 8) * base) & 0xff;
  writeAx(cpu.state, al);
  replaceFlags(cpu.state, PF | ZF | SF, resultFlags(al));
}

export const decimalHelpers: Record<string, Helper> = {
  daa: { params: [], run: (cpu: Cpu) => adjustPacked(cpu.state, 1) },
  das: { params: [], run: (cpu: Cpu) => adjustPacked(cpu.state, -1) },
  aaa: { params: [], run: (cpu: Cpu) => adjustUnpacked(cpu.state, 0x106) },
  aas: { params: [], run: (cpu: Cpu) => adjustUnpacked(cpu.state, -0x106) },
  aam: { params: ['i32'], run: aam },
  aad: { params: ['i32'], run: aad },
};
