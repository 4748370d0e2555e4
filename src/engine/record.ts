/**
 * A decoded instruction in linear memory, for the handlers:
 *
 *   +0  u32 handler     index in the function table
 *   +4  u16 a           state offset of the first register operand
 *   +6  u16 b           second
 *   +8  u16 base        base register of the memory operand (or fourth register operand)
 *   +10 u16 index       index register
 *   +12 u8  scale       log2 of the index scale
 *   +13 u8  length      bytes of the instruction; 0 for records that are no instruction
 *   +14 u16 start       offset of the instruction in its page
 *   +16 i32 displacement  of the memory operand, or of a relative branch
 *   +20 u16 segment     state offset of the segment base
 *   +22 u16 c           third register operand
 *   +24 i64 immediate;  for relative branches u32 link: record of the target in the same page, 0 unknown
 */
export const RECORD = {
  bytes: 32,
  handler: 0,
  a: 4,
  b: 6,
  base: 8,
  index: 10,
  scale: 12,
  length: 13,
  start: 14,
  displacement: 16,
  segment: 20,
  c: 22,
  immediate: 24,
  link: 24,
} as const;

/** Why compiled code returned to TypeScript. */
export const EXIT = {
  /** budget used up or attention wanted; STATE.rip is next */
  budget: 1,
  /** no record for STATE.rip yet */
  lookup: 2,
  /** exception in STATE.faultVector at the record STATE.pc */
  fault: 3,
  /** a helper redirected; STATE.rip is next (internal: continues by dispatch) */
  redirect: 4,
  /** HLT; STATE.rip is next */
  halt: 5,
  /** the record STATE.pc is no longer valid */
  stale: 6,
  /** a helper asked to stop the machine; STATE.rip is next */
  stop: 7,
  /** the single instruction of a scratch chain has completed; RIP is the one behind it */
  stepped: 8,
  /** the region at the record STATE.pc could not tell that its neighbour pages are still the same */
  guard: 9,
  /** a region was left often, this time to STATE.rip */
  hot: 10,
} as const;
