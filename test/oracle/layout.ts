/**
 * Where a case lives, in the host process that executes it natively and in the guest that executes it
 * under Vivarium. `native/harness.c` holds the same numbers.
 *
 *   0x10_0000  two code pages, execute and read only, filled with INT3
 *   0x10_2000  hole
 *   0x20_0000  three writable pages
 *   0x20_3000  one read-only page
 *   0x20_4000  hole
 *   0x30_0000  where a 32-bit case ends
 *   0x5a5a_1000_0000  where a case ends: every case jumps here
 */
export const PAGE = 4096;
export const CODE_ADDRESS = 0x10_0000;
export const CODE_BYTES = 2 * PAGE;
export const CODE_END = CODE_ADDRESS + CODE_BYTES;
export const DATA_ADDRESS = 0x20_0000;
export const WRITABLE_BYTES = 3 * PAGE;
export const DATA_BYTES = 4 * PAGE;
export const DATA_END = DATA_ADDRESS + DATA_BYTES;
export const EXIT_ADDRESS = 0x5a5a_1000_0000n;
/** where 32-bit code ends, by a far jump to 64-bit code */
export const EXIT32_ADDRESS = 0x30_0000;
/** what the code pages hold where no case put its code */
export const CODE_FILLER = 0xcc;

/** Byte offsets of a processor state on the wire, `STATE_BYTES` long. */
export const WIRE = {
  gpr: 0,
  rip: 128,
  rflags: 136,
  fsBase: 144,
  gsBase: 152,
  mxcsr: 160,
  fcw: 164,
  fsw: 166,
  /** abridged tag word: bit i set when physical register i is not empty */
  ftw: 168,
  /** ST(0) to ST(7), sixteen bytes each, ten used */
  st: 176,
  /** YMM0 to YMM15, 32 bytes each */
  ymm: 320,
} as const;
export const STATE_BYTES = 832;

export const CODE_ROOM = 192;
export const PATCHES = 6;
export const PATCH_ROOM = 32;
export const INPUT_HEADER_BYTES = 24;
export const INPUT_BYTES =
  INPUT_HEADER_BYTES + STATE_BYTES + CODE_ROOM + PATCHES * (8 + PATCH_ROOM);
export const OUTPUT_BYTES = 16 + STATE_BYTES + 8;
export const HEADER_BYTES = 8 + DATA_BYTES;
export const MAGIC = 0x6c63_7261;
