/** MOV to and from control registers, CLTS, LMSW. SDM Vol. 3A, 2.5; Vol. 2B "MOV—Move to/from Control Registers". */
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import { GP, GuestFault, UD } from '../fault.ts';
import { isPae, loadPagePointers } from '../paging/page-pointers.ts';
import { CS, STATE } from '../state.ts';
import { CR0, CR4, EFER, PHYSICAL_ADDRESS_BITS } from './control-bits.ts';
import { ATTRIBUTE } from './descriptor.ts';
import { in64BitMode, inLongMode } from './mode.ts';

const CR0_WRITABLE =
  CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG;

/** Bits whose change loads the page-directory pointers of PAE anew. */
const CR0_LOADS_POINTERS = CR0.CD | CR0.NW | CR0.PG;
const CR4_LOADS_POINTERS = CR4.PAE | CR4.PGE | CR4.PSE | CR4.SMEP;

/** Bits whose change makes cached translations stale. */
const CR0_FLUSHES = CR0.PE | CR0.WP | CR0.PG;
const CR4_FLUSHES =
  CR4.PSE | CR4.PAE | CR4.PGE | CR4.LA57 | CR4.PCIDE | CR4.SMEP | CR4.SMAP | CR4.PKE;

/** CR4 bits that exist on every processor of ours. */
const CR4_ALWAYS = CR4.PAE | CR4.PCE;

/** CR4 bits that come with a feature. */
const CR4_BY_FEATURE: readonly (readonly [string, number])[] = [
  ['vme', CR4.VME | CR4.PVI],
  ['tsc', CR4.TSD],
  ['de', CR4.DE],
  ['pse', CR4.PSE],
  ['mce', CR4.MCE],
  ['pge', CR4.PGE],
  ['fxsr', CR4.OSFXSR],
  ['sse', CR4.OSXMMEXCPT],
  ['umip', CR4.UMIP],
  ['la57', CR4.LA57],
  ['fsgsbase', CR4.FSGSBASE],
  ['pcid', CR4.PCIDE],
  ['xsave', CR4.OSXSAVE],
  ['smep', CR4.SMEP],
  ['smap', CR4.SMAP],
  ['pku', CR4.PKE],
];

function fits32(value: bigint): boolean {
  return value >> 32n === 0n;
}

/** Sets CR0, activating or leaving long mode. Throws #GP for illegal combinations. */
export function writeCr0(cpu: Cpu, value: bigint): void {
  const { state } = cpu;
  const before = state.get32(STATE.cr0);
  const next = Number(value & 0xffff_ffffn);
  const protectedMode = (next & CR0.PE) !== 0;
  const paging = (next & CR0.PG) !== 0;
  const illegal =
    !fits32(value) ||
    (paging && !protectedMode) ||
    ((next & CR0.NW) !== 0 && (next & CR0.CD) === 0);
  if (illegal) throw new GuestFault(GP);
  if (paging !== ((before & CR0.PG) !== 0)) switchLongMode(state, paging);
  const cr4 = state.get32(STATE.cr4);
  // SDM Vol. 3A, 4.4.1: what makes the processor load the pointers anew.
  if (isPae(next, cr4, state.get32(STATE.efer)) && ((before ^ next) & CR0_LOADS_POINTERS) !== 0)
    loadPagePointers(cpu, state.get32(STATE.cr3));
  const kept = (next & CR0_WRITABLE) | CR0.ET;
  state.set64(STATE.cr0, BigInt(kept >>> 0));
  if (((before ^ kept) & CR0_FLUSHES) !== 0) cpu.flushTlb('all');
  continueInMode(cpu);
}

/** EFER.LMA follows CR0.PG when EFER.LME is set. SDM Vol. 3A, 9.8.5. */
function switchLongMode(state: CpuState, paging: boolean): void {
  const efer = state.get32(STATE.efer);
  const cr4 = state.get32(STATE.cr4);
  if (paging) {
    if ((efer & EFER.LME) === 0) return;
    const longCode = (state.segmentAttributes(CS) & ATTRIBUTE.L) !== 0;
    if ((cr4 & CR4.PAE) === 0 || longCode) throw new GuestFault(GP);
    state.set32(STATE.efer, efer | EFER.LMA);
  } else {
    if (in64BitMode(state) || (cr4 & CR4.PCIDE) !== 0) throw new GuestFault(GP);
    state.set32(STATE.efer, efer & ~EFER.LMA);
  }
}

/** After a change of mode the engine decodes afresh from the next instruction. */
function continueInMode(cpu: Cpu): void {
  cpu.modeChanged();
  cpu.redirect(cpu.nextRip());
}

const CR3_RESERVED = ~((1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n);

/** Sets CR3. Bit 63 keeps what is cached of the PCID in bits 11:0. SDM Vol. 3A, 4.10.4.1. */
export function writeCr3(cpu: Cpu, value: bigint): void {
  const { state } = cpu;
  const tagged = (state.get32(STATE.cr4) & CR4.PCIDE) !== 0;
  const next = tagged ? BigInt.asUintN(63, value) : value;
  if (inLongMode(state) && (next & CR3_RESERVED) !== 0n) throw new GuestFault(GP);
  if (isPae(state.get32(STATE.cr0), state.get32(STATE.cr4), state.get32(STATE.efer)))
    loadPagePointers(cpu, Number(next & 0xffff_ffffn));
  state.set64(STATE.cr3, inLongMode(state) ? next : next & 0xffff_ffffn);
  cpu.switchAddressSpace(tagged ? Number(next & 0xfffn) : 0, next !== value);
}

function supportedCr4(cpu: Cpu): number {
  let mask = CR4_ALWAYS;
  for (const [feature, bits] of CR4_BY_FEATURE) if (cpu.hasFeature(feature)) mask |= bits;
  return mask;
}

export function writeCr4(cpu: Cpu, value: bigint): void {
  const { state } = cpu;
  const next = Number(value & 0xffff_ffffn) | 0;
  const before = state.get32(STATE.cr4) | 0;
  const changed = before ^ next;
  if (!fits32(value) || (next & ~supportedCr4(cpu)) !== 0) throw new GuestFault(GP);
  if (inLongMode(state)) {
    if ((next & CR4.PAE) === 0 || (changed & CR4.LA57) !== 0) throw new GuestFault(GP);
  }
  if ((changed & next & CR4.PCIDE) !== 0) {
    const tagged = (state.get32(STATE.cr3) & 0xfff) !== 0;
    if (!inLongMode(state) || tagged) throw new GuestFault(GP);
  }
  if (
    isPae(state.get32(STATE.cr0), next, state.get32(STATE.efer)) &&
    (changed & CR4_LOADS_POINTERS) !== 0
  )
    loadPagePointers(cpu, state.get32(STATE.cr3));
  state.set64(STATE.cr4, BigInt(next >>> 0));
  if ((changed & CR4_FLUSHES) !== 0) cpu.flushTlb('all');
  continueInMode(cpu);
}

function moveToControl(cpu: Cpu, index: number, rawValue: bigint): void {
  const { state } = cpu;
  const value = BigInt.asUintN(in64BitMode(state) ? 64 : 32, rawValue);
  switch (index) {
    case 0:
      writeCr0(cpu, value);
      return;
    case 2:
      state.set64(STATE.cr2, value);
      return;
    case 3:
      writeCr3(cpu, value);
      return;
    case 4:
      writeCr4(cpu, value);
      return;
    case 8:
      if (value > 15n) throw new GuestFault(GP);
      cpu.interrupts.taskPriority = Number(value);
      // A lower priority may let a waiting interrupt through.
      state.set32(STATE.attention, 0x8000_0000);
      return;
    default:
      throw new GuestFault(UD);
  }
}

/** Reads control register `index` into the general register at state offset `register`. */
function moveFromControl(cpu: Cpu, index: number, register: number): void {
  const { state } = cpu;
  const value = readControl(cpu, index);
  state.set64(register, in64BitMode(state) ? value : value & 0xffff_ffffn);
}

function readControl(cpu: Cpu, index: number): bigint {
  const { state } = cpu;
  switch (index) {
    case 0:
      return state.get64(STATE.cr0);
    case 2:
      return state.get64(STATE.cr2);
    case 3:
      return state.get64(STATE.cr3);
    case 4:
      return state.get64(STATE.cr4);
    case 8:
      return BigInt(cpu.interrupts.taskPriority);
    default:
      throw new GuestFault(UD);
  }
}

function clts(cpu: Cpu): void {
  const { state } = cpu;
  state.set32(STATE.cr0, state.get32(STATE.cr0) & ~CR0.TS);
  continueInMode(cpu);
}

/** LMSW writes PE, MP, EM and TS, and cannot clear PE. */
function lmsw(cpu: Cpu, value: number): void {
  const cr0 = cpu.state.get32(STATE.cr0);
  const next = (cr0 & ~(CR0.MP | CR0.EM | CR0.TS)) | (value & 0xf);
  writeCr0(cpu, BigInt(next >>> 0));
}

export const controlHelpers: Record<string, Helper> = {
  moveToControl: { params: ['i32', 'i64'], run: moveToControl },
  moveFromControl: { params: ['i32', 'i32'], run: moveFromControl },
  clts: { params: [], run: clts },
  lmsw: { params: ['i32'], run: lmsw },
};
