import { FLOAT_OPERATION } from './operation.ts';

/**
 * The host's own arithmetic with an exact answer to "was it inexact?", for ordinary operands and results
 * far from the ends of the range. Round to nearest. Serves programs whose results are all exact (counting
 * in doubles), for which the flag PE never gets set.
 *
 * Error-free transformations: Dekker, "A floating-point technique for extending the available precision",
 * Numerische Mathematik 18 (1971); Knuth, The Art of Computer Programming, vol. 2, 4.2.2.
 *
 * Hot path: one call an operation, no allocation.
 */

/** Neither rounding errors nor products of values between these leave the range of normal numbers. */
const SINGLE_LOW = 2 ** -60;
const SINGLE_HIGH = 2 ** 60;
const DOUBLE_LOW = 2 ** -480;
const DOUBLE_HIGH = 2 ** 480;

const SPLITTER = 2 ** 27 + 1;

/** x × y - product, exactly. */
function productError(x: number, y: number, product: number): number {
  const cx = SPLITTER * x;
  const xHigh = cx - (cx - x);
  const xLow = x - xHigh;
  const cy = SPLITTER * y;
  const yHigh = cy - (cy - y);
  const yLow = y - yHigh;
  return xLow * yLow - (product - xHigh * yHigh - xLow * yHigh - xHigh * yLow);
}

/** x + y - sum, exactly. */
function sumError(x: number, y: number, sum: number): number {
  const part = sum - x;
  return x - (sum - part) + (y - part);
}

function ordinary(value: number, single: boolean): boolean {
  const magnitude = Math.abs(value);
  if (single) return (magnitude > SINGLE_LOW && magnitude < SINGLE_HIGH) || magnitude === 0;
  return (magnitude > DOUBLE_LOW && magnitude < DOUBLE_HIGH) || magnitude === 0;
}

export class QuickArithmetic {
  /** whether some result was inexact since this was last set to false */
  inexact = false;

  /**
   * Result of one operation of FLOAT_OPERATION, rounded to the width; NaN when the operation or the
   * numbers are not ordinary enough.
   */
  run(operation: number, width: 32 | 64, x: number, y: number): number {
    const single = width === 32;
    if (!ordinary(x, single)) return Number.NaN;
    let result: number;
    let error: number;
    if (operation === FLOAT_OPERATION.squareRoot) {
      result = Math.sqrt(x);
      error = productError(result, result, x);
    } else if (!ordinary(y, single)) return Number.NaN;
    else if (operation === FLOAT_OPERATION.add) {
      result = x + y;
      error = sumError(x, y, result);
    } else if (operation === FLOAT_OPERATION.subtract) {
      result = x - y;
      error = sumError(x, -y, result);
    } else if (operation === FLOAT_OPERATION.multiply) {
      result = x * y;
      error = productError(x, y, result);
    } else if (operation === FLOAT_OPERATION.divide && y !== 0) {
      result = x / y;
      error = productError(result, y, x);
    } else return Number.NaN;
    // The double result of two singles has bits enough for rounding it once more.
    const rounded = single ? Math.fround(result) : result;
    if (rounded !== result || error !== 0) this.inexact = true;
    return rounded;
  }
}
