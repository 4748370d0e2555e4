/** A value of a function that is known when its code is done, or only when its module is instantiated. */
import type { FunctionCode } from './function.ts';

/**
 * A mention of a function's own value, an i32. `setOwnValue` writes it as a constant; `moveOwnValue` has it come from a
 * global, so that the same code serves for any value.
 */
export interface OwnValueUse {
  /** position of the instruction that pushes it, which takes six bytes */
  readonly at: number;
}

const [I32_CONST, GLOBAL_GET] = [0x41, 0x23];

/** The instruction that pushes `value`: as long as any other. */
export function pushConstant(value: number): readonly number[] {
  // Signed LEB128: the last of its bytes holds the upper four bits, and repeats the sign.
  return [I32_CONST, ...lowBits(value), (value >> 28) & 0x7f];
}

/** The value of the function with this code is `value`. */
export function setOwnValue({ bytes, ownValues }: FunctionCode, value: number): void {
  for (const { at } of ownValues) bytes.set(pushConstant(value), at);
}

/** The value of the function with this code is what the global with the number `index` holds. */
export function moveOwnValue({ bytes, ownValues }: FunctionCode, index: number): void {
  for (const { at } of ownValues) bytes.set([GLOBAL_GET, ...lowBits(index), index >>> 28], at);
}

/** The first four of five bytes of LEB128. */
function lowBits(value: number): number[] {
  return [0, 7, 14, 21].map((shift) => ((value >>> shift) & 0x7f) | 0x80);
}
