import type { CpuState } from '../cpu-state.ts';
import { EFLAGS } from '../cpu-state.ts';
import { STATE } from '../state.ts';
import { CR0, CR4, EFER, PHYSICAL_ADDRESS_BITS } from '../system/control-bits.ts';

/** Everything outside the tables that a translation depends on: plain numbers, refreshed on a change. */
export interface PagingContext {
  /** 0 paging off, 2 32-bit, 3 PAE, 4 or 5 levels */
  levels: 0 | 2 | 3 | 4 | 5;
  /** guest-physical address of the top table */
  root: number;
  /** CR0.WP: the supervisor respects read-only pages */
  writeProtect: boolean;
  noExecute: boolean;
  smep: boolean;
  /** CR4.SMAP and not overridden by EFLAGS.AC */
  smap: boolean;
  globalPages: boolean;
  /** sets no accessed and dirty bits: what they are missing from counts as absent */
  probes: boolean;
  /** large pages in 32-bit paging (CR4.PSE) */
  largePages: boolean;
  /** 1 GiB pages are announced */
  hugePages: boolean;
  /** reserved bits of an entry for 4 MiB: without PSE-36 the address ends at bit 31 */
  reserved4M: number;
  /** rights of the sixteen protection keys (PKRU), or 0 when CR4.PKE is clear */
  pkru: number;
  /** reserved bits in the high half of an entry */
  reservedHigh: number;
  /** PAE: low and high half of each of the four page-directory pointers */
  readonly pointers: Int32Array;
}

/** High-half bits from the physical width up to bit `top` of the entry. */
function aboveAddress(top: number): number {
  const from = PHYSICAL_ADDRESS_BITS - 32;
  return (2 ** (top - 32 + 1) - 2 ** from) | 0;
}

const RESERVED_LONG = aboveAddress(51);
const RESERVED_PAE = aboveAddress(62);
const NX = 0x8000_0000 | 0;

/** Bits 20:13 of an entry for 4 MiB are bits 39:32 of the address with PSE-36. */
const RESERVED_4M = 0x0020_0000;
const RESERVED_4M_NARROW = 0x003f_e000;

/** What CPUID announces of large pages. */
export function announcePages(context: PagingContext, has: (feature: string) => boolean): void {
  context.hugePages = has('pdpe1gb');
  context.reserved4M = has('pse36') ? RESERVED_4M : RESERVED_4M_NARROW;
}

export function createPagingContext(): PagingContext {
  return {
    levels: 0,
    root: 0,
    writeProtect: false,
    noExecute: false,
    smep: false,
    smap: false,
    globalPages: false,
    probes: false,
    largePages: false,
    hugePages: true,
    reserved4M: RESERVED_4M,
    pkru: 0,
    reservedHigh: 0,
    pointers: new Int32Array(8),
  };
}

/**
 * Recomputes `context` from CR0, CR3, CR4, EFER and EFLAGS.AC. EFLAGS.AC counts at CPL 0 to 2 alone:
 * implicit supervisor accesses made at CPL 3 (descriptor tables, TSS) never override SMAP.
 */
export function updatePagingContext(context: PagingContext, state: CpuState, pkru = 0): void {
  const cr0 = state.get32(STATE.cr0);
  const cr3Low = state.get32(STATE.cr3);
  const cr3High = state.get32(STATE.cr3 + 4);
  const cr4 = state.get32(STATE.cr4);
  const efer = state.get32(STATE.efer);

  if ((cr0 & CR0.PG) === 0) context.levels = 0;
  else if ((efer & EFER.LMA) !== 0) context.levels = (cr4 & CR4.LA57) !== 0 ? 5 : 4;
  else context.levels = (cr4 & CR4.PAE) !== 0 ? 3 : 2;

  if (context.levels >= 4) {
    context.root = ((cr3Low & ~0xfff) >>> 0) + (cr3High & 0xf_ffff) * 0x1_0000_0000;
  } else {
    context.root = (cr3Low & (context.levels === 3 ? ~0x1f : ~0xfff)) >>> 0;
  }

  if (context.levels === 3) {
    for (let half = 0; half < 8; half++)
      context.pointers[half] = state.get32(STATE.pagePointers + 4 * half);
  }

  const override = state.cpl < 3 && (state.get32(STATE.eflags) & EFLAGS.AC) !== 0;
  context.writeProtect = (cr0 & CR0.WP) !== 0;
  context.noExecute = (efer & EFER.NXE) !== 0 && context.levels >= 3;
  context.smep = (cr4 & CR4.SMEP) !== 0;
  context.smap = (cr4 & CR4.SMAP) !== 0 && !override;
  context.globalPages = (cr4 & CR4.PGE) !== 0;
  context.largePages = (cr4 & CR4.PSE) !== 0;
  context.pkru = (cr4 & CR4.PKE) !== 0 && context.levels >= 4 ? pkru : 0;
  const reserved = context.levels >= 4 ? RESERVED_LONG : RESERVED_PAE;
  context.reservedHigh = context.noExecute ? reserved : reserved | NX;
}
