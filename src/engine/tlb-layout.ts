/**
 * The software TLB in linear memory, one for each privilege (see PRIVILEGE), direct-mapped by page
 * number. A data entry:
 *
 *   +0  i64 read tag    linear address of the page, or a value that no address of this index matches
 *   +8  i64 write tag
 *   +16 i32 addend      linear-memory offset of the frame minus the low half of the page's address
 *   +20 i32 global      1: survives a write of CR3
 *   +24 i32 used        1: listed in the journal of filled entries
 *
 * A hit for an access of n bytes is one xor and one unsigned compare: (address ^ tag) <= 4096 - n tests
 * page, permission and page crossing together.
 *
 * Behind the data entries lie the execute entries:
 *
 *   +0  i64 tag         linear address of the page
 *   +8  u32 map         the page's record map: u32 for each byte of the page, 0 where nothing is decoded
 *   +12 u32 frame       linear-memory offset of the frame
 */
export const TLB = {
  entries: 8192,
  entryBytes: 32,
  read: 0,
  write: 8,
  addend: 16,
  global: 20,
  used: 24,
  /** offset of the execute entries from the TLB's base */
  execute: 8192 * 32,
  executeEntries: 4096,
  executeEntryBytes: 16,
  executeMap: 8,
  executeFrame: 12,
  /** two u32 that what is noted in the targets must have been noted under, for each half of the address space */
  generation: 8192 * 32 + 4096 * 16,
  /** two u64, for each half: another one once an execute translation there was flushed; no bank and half has another's */
  epoch: 8192 * 32 + 4096 * 16 + 16,
  /** bytes of one privilege's TLB */
  bytes: 8192 * 32 + 4096 * 16 + 64 + 4096 * 16,
} as const;

/** Behind that lie the targets: RIPs of 64-bit code that execution went on at, direct-mapped by (rip ^ rip >> fold). */
export const TARGETS = {
  /** from the TLB's base */
  at: 8192 * 32 + 4096 * 16 + 64,
  entries: 4096,
  fold: 12,
  bytes: 4096 * 16,
} as const;

/** What is known of a target. */
export const TARGET = {
  bytes: 16,
  rip: 0,
  record: 8,
  /** u32 table index of what runs there, below the generation under which it was noted */
  handler: 12,
  handlerMask: 0x1_ffff,
  generationShift: 17,
  generations: 2 ** 15,
} as const;

/** Number of the mode of 64-bit code, whose RIPs are linear addresses, for `modeChanged`. */
export const MODE_64 = 2;

/**
 * The TLBs of a vCPU. A supervisor with EFLAGS.AC set may see user pages that SMAP hides otherwise. The one
 * of user code whose alignment is checked (CR0.AM) never holds data translations: `count` leaves it out.
 */
export const PRIVILEGE = { user: 0, supervisor: 1, supervisorAc: 2, count: 3, userAc: 3 } as const;
