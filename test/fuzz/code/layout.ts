/**
 * Guest-physical memory of a case, 256 KiB. Where there is paging, everything from `descriptors` on has its
 * physical address as linear address, and page tables have none.
 */
export const PAGE = 4096;
export const RAM_BYTES = 0x4_0000;
/** where real mode handles its vectors, which lie at 0 */
export const REAL_HANDLERS = 0x1000;
export const PAGE_TABLES = 0x1000;
export const IDT = 0x8000;
export const GDT = 0x9000;
export const TSS = 0xa000;
/** where each vector is handled */
export const HANDLERS = 0xb000;
export const HANDLER_BYTES = 32;
export const KERNEL_STACK = 0xd000;
/** byte that handlers count down */
export const FAULTS_LEFT = 0xa800;
export const CODE = 0x1_0000;
export const CODE_BYTES = 3 * PAGE;
export const DATA = 0x1_4000;
export const DATA_BYTES = 4 * PAGE;
/** read-only for the code of a world with paging */
export const CONSTANTS = 0x1_8000;

/** Bases of code segments that do not begin with a page. */
export const CODE16_BASE = CODE - 0x7f3;
export const CODE32_BASE = CODE - 0x1235;

/** Selectors of the descriptor table, the same in all worlds but for the last. */
export const SELECTOR = {
  code16: 0x08,
  data16: 0x10,
  code32: 0x18,
  data32: 0x20,
  code64: 0x28,
  userData: 0x33,
  userCode32: 0x3b,
  userCode64: 0x43,
  userCode16: 0x4b,
  tss: 0x50,
  /** not under a 64-bit kernel, where the TSS has 16 bytes */
  basedCode32: 0x58,
} as const;
