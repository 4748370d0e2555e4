import type { Value } from '../../ir/mod.ts';
import { define, type Form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import {
  constant,
  halves,
  known,
  lane64,
  mmx,
  readMmx,
  shuffle,
  sse,
  threeOperands,
  writeHalves,
  writeMmx,
  zero,
} from './sse-shared.ts';

/**
 * Packed shifts by a count that is the same for all lanes, and byte shifts of a whole vector.
 * SDM Vol. 2B "PSLLW/PSLLD/PSLLQ", "PSRAW/PSRAD", "PSRLW/...", "PSLLDQ", "PSRLDQ".
 */

type ShiftKind = 'shl' | 'shr_u' | 'shr_s';

const SHAPES: Record<number, string> = { 16: 'i16x8', 32: 'i32x4', 64: 'i64x2' };

/** One vector shifted by an i64 count of any size: too large a count gives zeros, or copies of the sign. */
export function shiftLanes(
  b: Semantics,
  kind: ShiftKind,
  width: number,
  vector: Value,
  count: Value,
): Value {
  const op = `${SHAPES[width]}.${kind}`;
  const inRange = b.ltU(count, b.i64(width));
  if (kind === 'shr_s') {
    return b.pure(op, vector, b.wrap(b.select(inRange, count, b.i64(width - 1))));
  }
  return b.select(inRange, b.pure(op, vector, b.wrap(count)), zero(b));
}

/** All of a memory operand is read, though only its low 64 bits count. */
function shiftCount(b: Semantics, destination: Operand, right: Operand): Value {
  if (right.kind === 'immediate') return right.readUnsigned();
  if (right.kind === 'memory' && destination.kind !== 'mmx') return lane64(b, right.readVector());
  return right.readElement(64);
}

/** The meaning of a shift; the count is a byte immediate or the low 64 bits of the last operand. */
export function shift(kind: ShiftKind, width: number) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right } = threeOperands(b, operands);
    const count = shiftCount(b, destination, right);
    if (destination.kind === 'mmx') {
      const result = shiftLanes(b, kind, width, readMmx(b, left), count);
      writeMmx(b, destination, lane64(b, result));
      return;
    }
    const values = halves(b).map((at) => shiftLanes(b, kind, width, left.readVector(at), count));
    writeHalves(b, destination, values);
  };
}

export interface ShiftRow {
  readonly name: string;
  readonly opcode: string;
  readonly immediate: string;
  readonly kind: ShiftKind;
  readonly width: number;
}

export const shiftRows: readonly ShiftRow[] = [
  { name: 'psrlw', opcode: '0F D1 /r', immediate: '0F 71 /2 ib', kind: 'shr_u', width: 16 },
  { name: 'psrld', opcode: '0F D2 /r', immediate: '0F 72 /2 ib', kind: 'shr_u', width: 32 },
  { name: 'psrlq', opcode: '0F D3 /r', immediate: '0F 73 /2 ib', kind: 'shr_u', width: 64 },
  { name: 'psraw', opcode: '0F E1 /r', immediate: '0F 71 /4 ib', kind: 'shr_s', width: 16 },
  { name: 'psrad', opcode: '0F E2 /r', immediate: '0F 72 /4 ib', kind: 'shr_s', width: 32 },
  { name: 'psllw', opcode: '0F F1 /r', immediate: '0F 71 /6 ib', kind: 'shl', width: 16 },
  { name: 'pslld', opcode: '0F F2 /r', immediate: '0F 72 /6 ib', kind: 'shl', width: 32 },
  { name: 'psllq', opcode: '0F F3 /r', immediate: '0F 73 /6 ib', kind: 'shl', width: 64 },
];

function shiftForms({ opcode, immediate }: ShiftRow): Form[] {
  return [
    sse(`66 ${opcode}`, 'Vx Wx', 'sse2', 'aligned'),
    sse(`66 ${immediate}`, 'Ux Ib', 'sse2'),
    mmx(`NP ${opcode}`, 'Pq Qq'),
    mmx(`NP ${immediate}`, 'Nq Ib'),
  ];
}

const byteNumbers = (from: number): number[] => Array.from({ length: 16 }, (_, i) => from + i);

/** Sixteen bytes at byte `count` (0 to 16) of a vector followed (right shift) or preceded (left) by zeros. */
export function shiftBytes(
  b: Semantics,
  direction: 'left' | 'right',
  vector: Value,
  count: Value,
): Value {
  const fixed = known(count);
  if (fixed !== undefined) {
    const bytes = Math.min(fixed, 16);
    return direction === 'right'
      ? shuffle(b, vector, zero(b), byteNumbers(bytes))
      : shuffle(b, zero(b), vector, byteNumbers(16 - bytes));
  }
  // SWIZZLE gives zero for byte numbers of 16 and more, so wrapped negative numbers do as well.
  const clamped = b.wrap(b.select(b.ltU(count, b.i64(16)), count, b.i64(16)));
  const numbers = constant(b, 8, ...byteNumbers(0));
  const by = b.pure('i8x16.splat', clamped);
  return b.pure(
    'i8x16.swizzle',
    vector,
    b.pure(direction === 'right' ? 'i8x16.add' : 'i8x16.sub', numbers, by),
  );
}

/** The meaning of PSLLDQ and PSRLDQ: each half by itself. */
export function byteShift(direction: 'left' | 'right') {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right } = threeOperands(b, operands);
    const count = right.readUnsigned();
    writeHalves(
      b,
      destination,
      halves(b).map((at) => shiftBytes(b, direction, left.readVector(at), count)),
    );
  };
}

export const sseShiftInstructions: readonly Instruction[] = [
  ...shiftRows.map((row) => define(row.name, shiftForms(row), shift(row.kind, row.width))),
  define('psrldq', [sse('66 0F 73 /3 ib', 'Ux Ib', 'sse2')], byteShift('right')),
  define('pslldq', [sse('66 0F 73 /7 ib', 'Ux Ib', 'sse2')], byteShift('left')),
];
