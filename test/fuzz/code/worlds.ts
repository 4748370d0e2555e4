/** The modes of the processor that random code is run in: what memory and registers are like there. */
import { type CpuState, EFLAGS } from '../../../src/x86/mod.ts';
import { CS, DS, ES, FS, GS, LDTR, SS, STATE, TR } from '../../../src/x86/state.ts';
import { CR0, CR4, EFER } from '../../../src/x86/system/mod.ts';
import type { Random } from '../../oracle/random.ts';
import {
  CODE,
  CODE16_BASE,
  CODE32_BASE,
  DATA,
  DATA_BYTES,
  GDT,
  IDT,
  PAGE,
  PAGE_TABLES,
  SELECTOR,
  TSS,
} from './layout.ts';
import { writeDescriptors, writePageTables, writeVectors } from './tables.ts';

export interface World {
  readonly name: string;
  /** size of the code that is generated for it */
  readonly bits: 16 | 32 | 64;
  /** how far what code can address reaches: bits of an offset */
  readonly reach: 16 | 32 | 64;
  /** writes descriptor and page tables */
  readonly write: (image: Uint8Array, random: Random) => void;
  /** gives the system registers and segments their values; the rest is zero */
  readonly enter: (state: CpuState, random: Random) => void;
}

const CODE_RIGHTS = 0x9b;
const DATA_RIGHTS = 0x93;
const USER = 0x60;
const BIG = 0xc000;
const LONG = 0xa000;
const FLAT = 0xffff_ffff;

/** Floating point and vectors are on, alignment checks possible. */
const CR0_BASE = CR0.ET | CR0.NE | CR0.MP;
const CR4_BASE = CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.OSXSAVE | CR4.FSGSBASE;

function control(state: CpuState, cr0: number, cr4: number, efer: number, random: Random): void {
  const odd = random.oneIn(16) ? random.pick([CR0.TS, CR0.EM, CR0.WP, CR0.AM]) : 0;
  state.set64(STATE.cr0, BigInt((CR0_BASE | cr0 | odd) >>> 0));
  state.set64(STATE.cr4, BigInt((CR4_BASE | cr4) >>> 0));
  state.set64(STATE.efer, BigInt(efer >>> 0));
  state.set64(STATE.xcr0, random.oneIn(8) ? 3n : 7n);
}

function tables(state: CpuState, long: boolean): void {
  state.set64(STATE.gdtrBase, BigInt(GDT));
  state.set32(STATE.gdtrLimit, 0x5f);
  state.set64(STATE.idtrBase, BigInt(IDT));
  state.set32(STATE.idtrLimit, long ? 0xfff : 0x7ff);
  state.setSegment(TR, SELECTOR.tss, 0x8b, 0x67, BigInt(TSS));
  state.setSegment(LDTR, 0, 0, 0, 0n);
}

function segments(state: CpuState, selector: number, attributes: number, limit: number): void {
  for (const index of [DS, ES, SS, FS, GS]) {
    state.setSegment(index, selector, attributes, limit, 0n);
  }
}

/** Some data segments with limits and rights that matter; the stack's stays writable. */
function limitSegments(state: CpuState, random: Random, user: number): void {
  for (const index of [DS, ES, SS, FS, GS]) {
    if (!random.oneIn(3)) continue;
    const type =
      index === SS ? random.pick([0x93, 0x97]) : random.pick([0x91, 0x93, 0x95, 0x97, 0x9b]);
    const down = (type & 0x0c) === 0x04;
    const limit = down ? DATA - 1 - random.below(PAGE) : DATA + random.below(DATA_BYTES);
    const selector = user === 0 ? SELECTOR.data32 : SELECTOR.userData;
    state.setSegment(index, selector, type | user | BIG, limit, 0n);
  }
}

function realSegments(state: CpuState, random: Random, user: number): void {
  const code = (CODE >> 4) - (random.oneIn(3) ? random.below(0x100) : 0);
  state.setSegment(CS, code, CODE_RIGHTS | user, 0xffff, BigInt(code * 16));
  for (const index of [DS, ES, SS, FS, GS]) {
    const selector = random.pick([0x1400, 0x1480, 0x1400, 0x1700, 0x1000, random.below(0x10000)]);
    state.setSegment(index, selector, DATA_RIGHTS | user, 0xffff, BigInt(selector * 16));
  }
}

const withPaging = (levels: 2 | 4) => (image: Uint8Array, random: Random) => {
  writeDescriptors(image, levels === 4);
  writePageTables(image, levels, random.oneIn(2));
};

const PAGING = CR0.PE | CR0.PG | CR0.WP;
const LONG_EFER = EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE;

function paged(state: CpuState, random: Random, long: boolean): void {
  const tables64 = CR4.PAE | CR4.PGE | (random.oneIn(4) ? CR4.SMEP : 0);
  control(state, PAGING, long ? tables64 : CR4.PGE | CR4.PSE, long ? LONG_EFER : 0, random);
  state.set64(STATE.cr3, BigInt(PAGE_TABLES));
  tables(state, long);
}

export const worlds: readonly World[] = [
  {
    name: 'real mode',
    bits: 16,
    reach: 16,
    write: writeVectors,
    enter: (state, random) => {
      control(state, 0, 0, 0, random);
      state.set32(STATE.idtrLimit, 0x3ff);
      realSegments(state, random, 0);
    },
  },
  {
    name: '16-bit protected mode',
    bits: 16,
    reach: 32,
    write: (image) => writeDescriptors(image, false),
    enter: (state, random) => {
      control(state, CR0.PE, 0, 0, random);
      tables(state, false);
      state.setSegment(CS, SELECTOR.code16, CODE_RIGHTS, 0xffff, BigInt(CODE16_BASE));
      segments(state, SELECTOR.data32, DATA_RIGHTS | BIG, FLAT);
      limitSegments(state, random, 0);
    },
  },
  {
    name: '32-bit protected mode',
    bits: 32,
    reach: 32,
    write: (image) => writeDescriptors(image, false),
    enter: (state, random) => {
      control(state, CR0.PE, 0, 0, random);
      tables(state, false);
      const [selector, base] = random.oneIn(3)
        ? [SELECTOR.basedCode32, CODE32_BASE]
        : [SELECTOR.code32, 0];
      state.setSegment(CS, selector, CODE_RIGHTS | BIG, FLAT, BigInt(base));
      segments(state, SELECTOR.data32, DATA_RIGHTS | BIG, FLAT);
      if (random.oneIn(2)) limitSegments(state, random, 0);
    },
  },
  {
    name: '32-bit user code',
    bits: 32,
    reach: 32,
    write: withPaging(2),
    enter: (state, random) => {
      paged(state, random, false);
      state.setSegment(CS, SELECTOR.userCode32, CODE_RIGHTS | USER | BIG, FLAT, 0n);
      segments(state, SELECTOR.userData, DATA_RIGHTS | USER | BIG, FLAT);
      state.cpl = 3;
    },
  },
  {
    name: '16-bit user code',
    bits: 16,
    reach: 32,
    write: withPaging(2),
    enter: (state, random) => {
      paged(state, random, false);
      state.setSegment(CS, SELECTOR.userCode16, CODE_RIGHTS | USER, 0xf_ffff, 0n);
      segments(state, SELECTOR.userData, DATA_RIGHTS | USER | BIG, FLAT);
      if (random.oneIn(2)) limitSegments(state, random, USER);
      state.cpl = 3;
    },
  },
  {
    name: 'virtual-8086 mode',
    bits: 16,
    reach: 16,
    write: withPaging(2),
    enter: (state, random) => {
      paged(state, random, false);
      realSegments(state, random, USER);
      state.cpl = 3;
      const level = random.oneIn(2) ? EFLAGS.IOPL : 0;
      state.set32(STATE.eflags, state.systemFlags | EFLAGS.VM | level);
    },
  },
  {
    name: '64-bit kernel code',
    bits: 64,
    reach: 64,
    write: withPaging(4),
    enter: (state, random) => {
      paged(state, random, true);
      // a kernel whose own pages are marked for users could not run under SMEP
      state.set64(STATE.cr4, state.cr4 & ~BigInt(CR4.SMEP));
      state.setSegment(CS, SELECTOR.code64, CODE_RIGHTS | LONG, FLAT, 0n);
      segments(state, random.oneIn(2) ? 0 : SELECTOR.data32, DATA_RIGHTS | BIG, FLAT);
    },
  },
  {
    name: '64-bit user code',
    bits: 64,
    reach: 64,
    write: withPaging(4),
    enter: (state, random) => {
      paged(state, random, true);
      state.setSegment(CS, SELECTOR.userCode64, CODE_RIGHTS | USER | LONG, FLAT, 0n);
      segments(state, SELECTOR.userData, DATA_RIGHTS | USER | BIG, FLAT);
      state.cpl = 3;
    },
  },
  {
    name: '32-bit code under a 64-bit kernel',
    bits: 32,
    reach: 32,
    write: withPaging(4),
    enter: (state, random) => {
      paged(state, random, true);
      state.setSegment(CS, SELECTOR.userCode32, CODE_RIGHTS | USER | BIG, FLAT, 0n);
      segments(state, SELECTOR.userData, DATA_RIGHTS | USER | BIG, FLAT);
      state.cpl = 3;
    },
  },
];
