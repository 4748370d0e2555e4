/**
 * The page walker: from a linear address through the guest's tables to a guest-physical one.
 * SDM Vol. 3A chapter 4; APM Vol. 2 chapter 5.
 *
 *            63..57   56..48   47..39   38..30   29..21   20..12   11..0
 *   5-level  sign     PML5     PML4     PDPT     PD       PT       offset
 *   4-level  sign ..........   PML4     PDPT     PD       PT       offset
 *   level            5        4        3        2        1
 *
 *                              31..30   29..21   20..12   11..0
 *   PAE                        PDPT     PD       PT       offset
 *                                       31..22   21..12   11..0
 *   32-bit                              PD       PT       offset
 *
 * Hot path: a TLB miss. Entries are two 32-bit halves and nothing is allocated.
 * Left out: the memory type.
 * The caller has checked that the address is canonical.
 */
import type { PagingContext } from './context.ts';
import {
  ACCESS_EXECUTE,
  ACCESS_WRITE,
  type PageAccess,
  PF_FETCH,
  PF_KEY,
  PF_PRESENT,
  PF_RESERVED,
  PF_USER,
  PF_WRITE,
  PTE_ACCESSED,
  PTE_DIRTY,
  PTE_GLOBAL,
  PTE_LARGE,
  PTE_PRESENT,
  PTE_USER,
  PTE_WRITABLE,
} from './entry.ts';

/** Guest-physical memory as the walker needs it. Addresses are multiples of 4. */
export interface PageTableMemory {
  /** Four bytes; the sign does not matter. */
  read32(gpa: number): number;
  /** Stores `replacement` if the four bytes still are `expected`; false when they are not. */
  compareExchange32(gpa: number, expected: number, replacement: number): boolean;
}

/** What a successful walk found, for the privilege it was asked for. Reused from walk to walk. */
export interface WalkResult {
  /** guest-physical address of the linear address itself, page offset included */
  gpa: number;
  /** size of the page that maps it: 4 KiB, 2 or 4 MiB, 1 GiB */
  pageBytes: number;
  readable: boolean;
  /** a write needs no walk: it is allowed and the page is dirty already */
  writable: boolean;
  executable: boolean;
  /** the page belongs to user mode */
  user: boolean;
  /** survives a write of CR3 */
  global: boolean;
}

export function createWalkResult(): WalkResult {
  return {
    gpa: 0,
    pageBytes: 0,
    readable: false,
    writable: false,
    executable: false,
    user: false,
    global: false,
  };
}

/** Added to the rights gathered on the way down when some level forbids fetches. */
const NO_EXECUTE = 1 << 16;

const MAY_READ = 1;
const MAY_WRITE = 2;
const MAY_EXECUTE = 4;

/** Another processor changed an entry while we set its accessed or dirty bit: walk again. */
const RETRY = -2;

/** Reserved address bits of a large page's entry, low half: 2 MiB, 1 GiB. */
const RESERVED_2M = 0x001f_e000;
const RESERVED_1G = 0x3fff_e000;

/** -1 and `result` filled in, or the error code of the page fault. */
export function walk(
  tables: PagingContext,
  memory: PageTableMemory,
  addressLow: number,
  addressHigh: number,
  access: PageAccess,
  user: boolean,
  result: WalkResult,
): number {
  const levels = tables.levels;
  for (;;) {
    let outcome: number;
    if (levels >= 4) {
      const root = tables.root;
      outcome = descend(
        tables,
        memory,
        addressLow,
        addressHigh,
        levels,
        root,
        access,
        user,
        result,
      );
    } else if (levels === 3) {
      outcome = walkPae(tables, memory, addressLow, access, user, result);
    } else if (levels === 2) {
      outcome = walk32(tables, memory, addressLow, access, user, result);
    } else {
      return identity(addressLow, result);
    }
    if (outcome !== RETRY) return outcome;
  }
}

/** Paging off: linear is physical, everything is allowed. */
function identity(addressLow: number, result: WalkResult): number {
  result.gpa = addressLow >>> 0;
  result.pageBytes = 0x1000;
  result.readable = true;
  result.writable = true;
  result.executable = true;
  result.user = true;
  result.global = false;
  return -1;
}

/** Index into the table of `level`, times the entry size of 8. */
function entryOffset(level: number, low: number, high: number): number {
  switch (level) {
    case 1:
      return (low >>> 9) & 0xff8;
    case 2:
      return (low >>> 18) & 0xff8;
    case 3:
      return ((low >>> 27) | (high << 5)) & 0xff8;
    case 4:
      return (high >>> 4) & 0xff8;
    default:
      return (high >>> 13) & 0xff8;
  }
}

/** Walks 8-byte entries from `table` at `level` down to a leaf. */
function descend(
  tables: PagingContext,
  memory: PageTableMemory,
  low: number,
  high: number,
  level: number,
  table: number,
  access: PageAccess,
  user: boolean,
  result: WalkResult,
): number {
  const reservedHigh = tables.reservedHigh;
  let rights = PTE_WRITABLE | PTE_USER;
  let disable = 0;
  for (;;) {
    const at = table + entryOffset(level, low, high);
    const entry = memory.read32(at);
    if ((entry & PTE_PRESENT) === 0) return errorCode(tables, access, user, 0);
    const upper = memory.read32(at + 4);
    if ((upper & reservedHigh) !== 0) return errorCode(tables, access, user, PF_RESERVED);
    rights &= entry;
    disable |= upper;
    const large = level > 1 && (entry & PTE_LARGE) !== 0;
    if (large) {
      const reserved = level === 2 ? RESERVED_2M : RESERVED_1G;
      const illegal = level > 3 || (level === 3 && !tables.hugePages) || (entry & reserved) !== 0;
      if (illegal) return errorCode(tables, access, user, PF_RESERVED);
    }
    if (large || level === 1) {
      const offsetMask = level === 1 ? 0xfff : level === 2 ? 0x1f_ffff : 0x3fff_ffff;
      if (disable < 0) rights |= NO_EXECUTE;
      const key = tables.pkru === 0 ? 0 : keyRights(tables.pkru, (upper >>> 27) & 0xf);
      place(result, upper & 0xf_ffff, entry, offsetMask, low);
      return checkLeaf(tables, memory, at, entry, rights, key, access, user, result);
    }
    if ((entry & PTE_ACCESSED) === 0) {
      if (tables.probes) return errorCode(tables, access, user, 0);
      if (!memory.compareExchange32(at, entry, entry | PTE_ACCESSED)) return RETRY;
    }
    table = ((entry & ~0xfff) >>> 0) + (upper & 0xf_ffff) * 0x1_0000_0000;
    level--;
  }
}

/** PAE: four pointers, checked when they were loaded, without rights or accessed bit, then two levels of 8-byte entries. */
function walkPae(
  tables: PagingContext,
  memory: PageTableMemory,
  low: number,
  access: PageAccess,
  user: boolean,
  result: WalkResult,
): number {
  const pointer = (low >>> 30) * 2;
  const entry = tables.pointers[pointer] as number;
  if ((entry & PTE_PRESENT) === 0) return errorCode(tables, access, user, 0);
  const upper = tables.pointers[pointer + 1] as number;
  const table = ((entry & ~0xfff) >>> 0) + (upper & 0xf_ffff) * 0x1_0000_0000;
  return descend(tables, memory, low, 0, 2, table, access, user, result);
}

/** 32-bit paging: two levels of 4-byte entries. */
function walk32(
  tables: PagingContext,
  memory: PageTableMemory,
  low: number,
  access: PageAccess,
  user: boolean,
  result: WalkResult,
): number {
  let at = tables.root + ((low >>> 20) & 0xffc);
  let entry = memory.read32(at);
  if ((entry & PTE_PRESENT) === 0) return errorCode(tables, access, user, 0);
  let rights = entry & (PTE_WRITABLE | PTE_USER);
  let offsetMask = 0x3f_ffff;
  let frameHigh = (entry >>> 13) & 0xff;
  if (tables.largePages && (entry & PTE_LARGE) !== 0) {
    if ((entry & tables.reserved4M) !== 0) return errorCode(tables, access, user, PF_RESERVED);
  } else {
    if ((entry & PTE_ACCESSED) === 0) {
      if (tables.probes) return errorCode(tables, access, user, 0);
      if (!memory.compareExchange32(at, entry, entry | PTE_ACCESSED)) return RETRY;
    }
    at = ((entry & ~0xfff) >>> 0) + ((low >>> 10) & 0xffc);
    entry = memory.read32(at);
    if ((entry & PTE_PRESENT) === 0) return errorCode(tables, access, user, 0);
    rights &= entry;
    offsetMask = 0xfff;
    frameHigh = 0;
  }
  place(result, frameHigh, entry, offsetMask, low);
  return checkLeaf(tables, memory, at, entry, rights, 0, access, user, result);
}

/** The two PKRU bits of a protection key: 1 access disabled, 2 write disabled. */
function keyRights(pkru: number, key: number): number {
  return (pkru >>> (key * 2)) & 3;
}

/** What the accumulated rights allow at this privilege. SDM Vol. 3A, 4.6 "Access Rights". */
function allowed(tables: PagingContext, rights: number, key: number, user: boolean): number {
  const userPage = (rights & PTE_USER) !== 0;
  const writable = (rights & PTE_WRITABLE) !== 0;
  let may = MAY_READ;
  if ((rights & NO_EXECUTE) === 0) may |= MAY_EXECUTE;
  if (user) {
    if (!userPage) return 0;
    if (writable) may |= MAY_WRITE;
  } else {
    if (writable || !tables.writeProtect) may |= MAY_WRITE;
    if (userPage && tables.smep) may &= ~MAY_EXECUTE;
    if (userPage && tables.smap) may &= ~(MAY_READ | MAY_WRITE);
  }
  if (key !== 0 && userPage) {
    if ((key & 1) !== 0) may &= ~(MAY_READ | MAY_WRITE);
    if ((key & 2) !== 0 && (user || tables.writeProtect)) may &= ~MAY_WRITE;
  }
  return may;
}

/** Where the leaf `entry` puts the address. */
function place(
  result: WalkResult,
  frameHigh: number,
  entry: number,
  offsetMask: number,
  low: number,
): void {
  const offset = ((entry & ~offsetMask) | (low & offsetMask)) >>> 0;
  result.gpa = frameHigh * 0x1_0000_0000 + offset;
  result.pageBytes = offsetMask + 1;
}

/** Checks the access against the leaf at `at`, and sets its accessed and dirty bits. */
function checkLeaf(
  tables: PagingContext,
  memory: PageTableMemory,
  at: number,
  entry: number,
  rights: number,
  key: number,
  access: PageAccess,
  user: boolean,
  result: WalkResult,
): number {
  const may = allowed(tables, rights, key, user);
  const wanted = 1 << access; // MAY_READ, MAY_WRITE or MAY_EXECUTE
  if ((may & wanted) === 0) {
    const byKey = key !== 0 && (allowed(tables, rights, 0, user) & wanted) !== 0;
    return errorCode(tables, access, user, PF_PRESENT | (byKey ? PF_KEY : 0));
  }
  const needed = access === ACCESS_WRITE ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED;
  if (tables.probes && (entry & needed) !== needed) return errorCode(tables, access, user, 0);
  if ((entry & needed) !== needed) {
    if (!memory.compareExchange32(at, entry, entry | needed)) return RETRY;
    entry |= needed;
  }
  result.readable = (may & MAY_READ) !== 0;
  result.writable = (may & MAY_WRITE) !== 0 && (entry & PTE_DIRTY) !== 0;
  result.executable = (may & MAY_EXECUTE) !== 0;
  result.user = (rights & PTE_USER) !== 0;
  result.global = tables.globalPages && (entry & PTE_GLOBAL) !== 0;
  return -1;
}

function errorCode(
  tables: PagingContext,
  access: PageAccess,
  user: boolean,
  cause: number,
): number {
  let code = cause;
  if ((cause & PF_RESERVED) !== 0) code |= PF_PRESENT;
  if (access === ACCESS_WRITE) code |= PF_WRITE;
  if (user) code |= PF_USER;
  if (access === ACCESS_EXECUTE && (tables.noExecute || tables.smep)) code |= PF_FETCH;
  return code;
}
