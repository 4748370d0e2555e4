/** Numbers that instruction definitions and helpers share: which operation, which element kind. */

export const FLOAT_OPERATION = {
  add: 0,
  subtract: 1,
  multiply: 2,
  divide: 3,
  minimum: 4,
  maximum: 5,
  /** odd lanes are added, even lanes subtracted */
  addSubtract: 6,
  /** immediate: the predicate */
  compare: 7,
  /** of the first operand */
  squareRoot: 8,
  /** of the first operand; immediate: bits 1..0 mode, bit 2 mode of MXCSR, bit 3 no PE */
  round: 9,
} as const;

export type FloatOperation = keyof typeof FLOAT_OPERATION;

/** Kinds of elements that conversions know. */
export const ELEMENT = { float32: 0, float64: 1, int32: 2, int64: 3, float16: 4 } as const;

export type ElementKind = keyof typeof ELEMENT;

export const ELEMENT_BITS: Readonly<Record<ElementKind, 16 | 32 | 64>> = {
  float32: 32,
  float64: 64,
  int32: 32,
  int64: 64,
  float16: 16,
};

/** Options of conversions: toward zero; and the switch to MMX, which happens even when an exception is raised. */
export const CONVERT_TRUNCATES = 1;
export const CONVERT_MMX = 2;
