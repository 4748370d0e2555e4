import type { Value } from '../../ir/mod.ts';
import type { Semantics } from '../semantics.ts';

/** Upper 64 bits of the unsigned 128-bit product, from four products of 32-bit halves. */
export function multiplyHighUnsigned(b: Semantics, left: Value, right: Value): Value {
  const half = b.i64(32);
  const leftLow = b.zeroExtend(left, 32);
  const leftHigh = b.shrU(left, half);
  const rightLow = b.zeroExtend(right, 32);
  const rightHigh = b.shrU(right, half);
  // Neither sum overflows: (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1.
  const low = b.mul(leftLow, rightLow);
  const first = b.add(b.mul(leftHigh, rightLow), b.shrU(low, half));
  const second = b.add(b.mul(leftLow, rightHigh), b.zeroExtend(first, 32));
  const high = b.add(b.mul(leftHigh, rightHigh), b.shrU(first, half));
  return b.add(high, b.shrU(second, half));
}

/** Upper 64 bits of the signed 128-bit product. */
export function multiplyHighSigned(b: Semantics, left: Value, right: Value): Value {
  const correction = b.add(
    b.and(b.shrS(left, b.i64(63)), right),
    b.and(b.shrS(right, b.i64(63)), left),
  );
  return b.sub(multiplyHighUnsigned(b, left, right), correction);
}
