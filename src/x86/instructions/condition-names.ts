/** Suffixes of Jcc, SETcc and CMOVcc by condition code. SDM Vol. 1, appendix B. */
export const conditionNames = [
  'o',
  'no',
  'b',
  'ae',
  'e',
  'ne',
  'be',
  'a',
  's',
  'ns',
  'p',
  'np',
  'l',
  'ge',
  'le',
  'g',
] as const;
