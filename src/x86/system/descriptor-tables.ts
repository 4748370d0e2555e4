/** LGDT, LIDT, SGDT, SIDT, LLDT, LTR, and the queries LAR, LSL, VERR, VERW. SDM Vol. 2A, 2B; Vol. 3A, 2.4. */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { GP, GuestFault, NP } from '../fault.ts';
import { LDTR, STATE, TR } from '../state.ts';
import { CR4 } from './control-bits.ts';
import {
  ATTRIBUTE,
  attributesOf,
  baseOf,
  type Descriptor,
  dplOf,
  findDescriptor,
  limitOf,
  readUpperBase,
  SYSTEM,
  selectorFault,
  systemType,
} from './descriptor.ts';
import { in64BitMode, inLongMode, isCanonical } from './mode.ts';
import { isNullSelector, nullSegment } from './segments.ts';

const GDT = { base: STATE.gdtrBase, limit: STATE.gdtrLimit } as const;
const IDT = { base: STATE.idtrBase, limit: STATE.idtrLimit } as const;
type TableRegister = typeof GDT | typeof IDT;

/** Sum of a segment base and an offset, cut to 32 bits outside 64-bit mode. */
function linear(state: CpuState, address: bigint): bigint {
  return BigInt.asUintN(in64BitMode(state) ? 64 : 32, address);
}

/** Loads a 16-bit limit and a 24-, 32- or 64-bit base. */
function loadTable(cpu: Cpu, table: TableRegister, address: bigint, operandSize: number): void {
  const { state } = cpu;
  const wide = in64BitMode(state);
  const limit = Number(cpu.readLinear(linear(state, address), 2));
  let base = cpu.readLinear(linear(state, address + 2n), wide ? 8 : 4);
  if (!wide && operandSize === 16) base &= 0xff_ffffn;
  if (!isCanonical(state, base) && wide) throw new GuestFault(GP);
  state.set64(table.base, base);
  state.set32(table.limit, limit);
}

function requireNoUmip(state: CpuState): void {
  if ((state.get32(STATE.cr4) & CR4.UMIP) !== 0 && state.cpl > 0) throw new GuestFault(GP);
}

function storeTable(cpu: Cpu, table: TableRegister, address: bigint): void {
  const { state } = cpu;
  requireNoUmip(state);
  const bytes = new Uint8Array(in64BitMode(state) ? 10 : 6);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, state.get32(table.limit), true);
  view.setUint32(2, state.get32(table.base), true);
  if (bytes.length === 10) view.setUint32(6, state.get32(table.base + 4), true);
  cpu.writeBytes(linear(state, address), bytes);
}

/** Base of an LDT or TSS descriptor: 16 bytes long in long mode. */
function systemBase(cpu: Cpu, selector: number, descriptor: Descriptor): bigint {
  const base = baseOf(descriptor);
  if (!inLongMode(cpu.state)) return base;
  if (findDescriptor(cpu, selector, 16) === undefined) throw selectorFault(GP, selector);
  const whole = base | readUpperBase(cpu, descriptor);
  if (!isCanonical(cpu.state, whole)) throw selectorFault(GP, selector);
  return whole;
}

/** The GDT descriptor for LLDT or LTR; #GP for an LDT selector or beyond the table. */
function globalDescriptor(cpu: Cpu, selector: number): Descriptor {
  const descriptor = (selector & 4) !== 0 ? undefined : findDescriptor(cpu, selector);
  if (descriptor === undefined) throw selectorFault(GP, selector);
  return descriptor;
}

function lldt(cpu: Cpu, word: number): void {
  const { state } = cpu;
  const selector = word & 0xffff;
  if (isNullSelector(selector)) {
    nullSegment(state, LDTR, selector);
    return;
  }
  const descriptor = globalDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  if (systemType(attributes) !== SYSTEM.LDT) throw selectorFault(GP, selector);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector);
  const base = systemBase(cpu, selector, descriptor);
  state.setSegment(LDTR, selector, attributes, limitOf(descriptor), base);
}

function ltr(cpu: Cpu, word: number): void {
  const { state } = cpu;
  const selector = word & 0xffff;
  if (isNullSelector(selector)) throw new GuestFault(GP);
  const descriptor = globalDescriptor(cpu, selector);
  const attributes = attributesOf(descriptor);
  const type = systemType(attributes);
  const available = type === SYSTEM.TSS32 || (type === SYSTEM.TSS16 && !inLongMode(state));
  if (!available) throw selectorFault(GP, selector);
  if ((attributes & ATTRIBUTE.PRESENT) === 0) throw selectorFault(NP, selector);
  const base = systemBase(cpu, selector, descriptor);
  const busy = attributes | 2;
  cpu.writeLinear(descriptor.address + 5n, 1, BigInt(busy & 0xff), 'supervisor');
  state.setSegment(TR, selector, busy, limitOf(descriptor), base);
}

/** The descriptor when the current level may see it, by the rules of LAR and LSL. */
function visible(cpu: Cpu, selector: number, systemTypes: number): Descriptor | undefined {
  if (isNullSelector(selector)) return undefined;
  const descriptor = findDescriptor(cpu, selector);
  if (descriptor === undefined) return undefined;
  const attributes = attributesOf(descriptor);
  const type = systemType(attributes);
  if (type >= 0 && ((systemTypes >> type) & 1) === 0) return undefined;
  const conforming = ATTRIBUTE.ORDINARY | ATTRIBUTE.CODE | ATTRIBUTE.CONFORMING;
  if ((attributes & conforming) === conforming) return descriptor;
  const dpl = dplOf(attributes);
  return dpl < cpu.state.cpl || dpl < (selector & 3) ? undefined : descriptor;
}

function setZero(state: CpuState, zero: boolean): void {
  state.set64(STATE.flagZ, zero ? 0n : 1n);
}

/** System types that LAR and LSL accept: outside long mode, and in it. */
const LAR_TYPES = 0b0001_1010_0011_1110;
const LAR_TYPES_LONG = 0b0001_1010_0000_0100;
const LSL_TYPES = 0b0000_1010_0000_1110;
const LSL_TYPES_LONG = 0b0000_1010_0000_0100;

/** LAR: ZF, and the access rights in STATE.scratch. */
function lar(cpu: Cpu, word: number): void {
  const { state } = cpu;
  const types = inLongMode(state) ? LAR_TYPES_LONG : LAR_TYPES;
  const descriptor = visible(cpu, word & 0xffff, types);
  setZero(state, descriptor !== undefined);
  if (descriptor === undefined) return;
  state.set64(STATE.scratch, BigInt((descriptor.high & 0x00ff_ff00) >>> 0));
}

/** LSL: ZF, and the limit in bytes in STATE.scratch. */
function lsl(cpu: Cpu, word: number): void {
  const { state } = cpu;
  const types = inLongMode(state) ? LSL_TYPES_LONG : LSL_TYPES;
  const descriptor = visible(cpu, word & 0xffff, types);
  setZero(state, descriptor !== undefined);
  if (descriptor !== undefined) state.set64(STATE.scratch, BigInt(limitOf(descriptor)));
}

function verify(cpu: Cpu, word: number, write: boolean): void {
  const descriptor = visible(cpu, word & 0xffff, 0);
  let granted = false;
  if (descriptor !== undefined) {
    const attributes = attributesOf(descriptor);
    const code = (attributes & ATTRIBUTE.CODE) !== 0;
    const readWrite = (attributes & ATTRIBUTE.READ_WRITE) !== 0;
    granted = write ? !code && readWrite : !code || readWrite;
  }
  setZero(cpu.state, granted);
}

export const tableHelpers: Record<string, Helper> = {
  lgdt: {
    params: ['i64', 'i32'],
    run: (cpu, address: bigint, size: number) => loadTable(cpu, GDT, address, size),
  },
  lidt: {
    params: ['i64', 'i32'],
    run: (cpu, address: bigint, size: number) => loadTable(cpu, IDT, address, size),
  },
  sgdt: { params: ['i64'], run: (cpu, address: bigint) => storeTable(cpu, GDT, address) },
  sidt: { params: ['i64'], run: (cpu, address: bigint) => storeTable(cpu, IDT, address) },
  lldt: { params: ['i32'], run: lldt },
  ltr: { params: ['i32'], run: ltr },
  lar: { params: ['i32'], run: lar },
  lsl: { params: ['i32'], run: lsl },
  verr: { params: ['i32'], run: (cpu, selector: number) => verify(cpu, selector, false) },
  verw: { params: ['i32'], run: (cpu, selector: number) => verify(cpu, selector, true) },
};
