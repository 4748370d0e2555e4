/**
 * One way out of a region: what the shared end of the region needs to know of it. Sites that leave push the
 * number of their entry and branch, nothing more: most of them are never taken, and code for them is what
 * makes a region long.
 */
export const EXIT_ENTRY = {
  bytes: 16,
  /** u32 record to go on with; 0: at the RIP that the region holds */
  record: 0,
  /** u32 table index of what runs there; 0: whatever the record says */
  handler: 4,
  /** i32 bytes of budget to give back: of instructions charged and not run */
  left: 8,
  /** u8 recipe of the flags */
  recipe: 12,
  /** i32 from the recipe on: above its eight bits the page of the record, relative to the base page */
  page: 12,
} as const;
