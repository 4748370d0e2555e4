import { assert } from '../../util/mod.ts';

/**
 * One way out of a region: what `leaveRegionBody` needs to know of it. Sites that leave push one number, their exit's word,
 * and branch, nothing more: most of them are never taken, and code for them is what makes a region long. The word of one
 * that goes on at the RIP that the region holds says all there is to know:
 *
 *   bit 0      1
 *   bits 1-8   recipe of the flags
 *   bits 9-31  budget to give back, in bytes
 *
 * That of any other has 0 in bit 0, the recipe in the same place, and in bits 12 to 31 the number of its entry in the
 * region's table.
 */
export const EXIT_WORD = { rip: 1, recipe: 1, left: 9, entry: 12 } as const;

/** The word of an exit to the RIP that the region holds. */
export function ripExit(left: number, recipe: number): number {
  assert(left >= 0 && left < 2 ** (32 - EXIT_WORD.left), 'a block is short');
  return (left << EXIT_WORD.left) | (recipe << EXIT_WORD.recipe) | EXIT_WORD.rip;
}

/** The word of the exit whose entry has the number `entry`. */
export function entryExit(entry: number, recipe: number): number {
  assert(entry < 2 ** (32 - EXIT_WORD.entry), 'a region has few exits');
  return (entry << EXIT_WORD.entry) | (recipe << EXIT_WORD.recipe);
}

/** An entry of a region's table for an exit. */
export const EXIT_ENTRY = {
  bytes: 16,
  /** u32 record to go on with */
  record: 0,
  /** u32 table index of what runs there; 0: whatever the record says */
  handler: 4,
  /** i32 bytes of budget to give back: of instructions charged and not run */
  left: 8,
  /** i32 page of the record, relative to the base page */
  page: 12,
} as const;
