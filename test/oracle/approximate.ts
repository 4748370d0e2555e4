import type { GeneratedCase } from './generate.ts';
import { WIRE } from './layout.ts';
import type { ProcessorState } from './processor-state.ts';

/** Instructions whose last bits differ from one processor to the next. They run alone. */
const TRANSCENDENTAL = /^(fsin|fcos|fsincos|fptan|fpatan|f2xm1|fyl2x|fyl2xp1)$/;
const RECIPROCAL = /^v?(rcp|rsqrt)[ps]s$/;

/** Units in the last place of an 80-bit result by which two processors may differ. */
const EXTENDED_ULPS = 1n;
/** Each vendor promises 1.5 × 2^-12 relative error: two may differ by twice that. */
const SINGLE_ERROR = 3 / 4096;
const SMALLEST_NORMAL = 2 ** -126;

/** x87 status bits that depend on the last place: C1 and PE. */
const LAST_PLACE_STATUS = 0x220;

export function isApproximate(name: string): boolean {
  return TRANSCENDENTAL.test(name) || RECIPROCAL.test(name);
}

/** Makes `got` equal to `want` wherever `each` only gives approximate results and both are near. */
export function forgiveLastPlaces(
  each: GeneratedCase,
  want: ProcessorState,
  got: ProcessorState,
): void {
  const { name } = each.main.instruction;
  if (each.templates.length > 1) return;
  if (TRANSCENDENTAL.test(name)) {
    for (let i = 0; i < 8; i++) forgiveExtended(want, got, WIRE.st + 16 * i);
    for (const state of [want, got]) {
      state.set16(WIRE.fsw, state.get16(WIRE.fsw) & ~LAST_PLACE_STATUS);
    }
  } else if (RECIPROCAL.test(name)) {
    for (let at = WIRE.ymm; at < WIRE.ymm + 512; at += 4) forgiveSingle(want, got, at);
  }
}

function forgiveExtended(want: ProcessorState, got: ProcessorState, at: number): void {
  const order = ({ view }: ProcessorState) =>
    (BigInt(view.getUint16(at + 8, true) & 0x7fff) << 63n) |
    BigInt.asUintN(63, view.getBigUint64(at, true));
  const distance = order(want) - order(got);
  const sameSign = ((want.get16(at + 8) ^ got.get16(at + 8)) & 0x8000) === 0;
  if (sameSign && distance <= EXTENDED_ULPS && distance >= -EXTENDED_ULPS) {
    got.bytes.set(want.bytes.subarray(at, at + 10), at);
  }
}

function forgiveSingle(want: ProcessorState, got: ProcessorState, at: number): void {
  const [left, right] = [want.view.getFloat32(at, true), got.view.getFloat32(at, true)];
  const near = Math.abs(left - right) <= Math.abs(left) * SINGLE_ERROR;
  // SDM Vol. 2B "RCPPS": about the smallest normal number a result may be zero
  const flushed = (left === 0 || right === 0) && isTiny(left) && isTiny(right);
  if (!near && !flushed) return;
  got.bytes.set(want.bytes.subarray(at, at + 4), at);
}

function isTiny(value: number): boolean {
  return Math.abs(value) <= SMALLEST_NORMAL * (1 + SINGLE_ERROR);
}
