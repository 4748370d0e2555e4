import type { Value } from '../../ir/mod.ts';
import { type Attribute, define, type Form, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import { FACT, type Semantics } from '../semantics.ts';
import { STATE } from '../state.ts';

/**
 * What all vector instructions share. A meaning is written over 128-bit values; the same meaning serves
 * the legacy encoding (destination is first source), the VEX encoding (own first source, one or two
 * 128-bit halves, bits above the vector length cleared) and, where it exists, the MMX encoding (64 bits).
 */

/** Result of one 128-bit half, from the same half of both sources. */
export type Lanes = (b: Semantics, left: Value, right: Value) => Value;

/** Byte offsets of the 128-bit halves an instruction works on: [0], or [0, 16] for VEX.256. */
export function halves(b: Semantics): readonly number[] {
  return b.shape.vectorLength === 256 ? [0, 16] : [0];
}

/** Destination, two sources and what follows, for legacy (`dst src ...`) and VEX (`dst left right ...`) operands. */
export function threeOperands(
  b: Semantics,
  operands: readonly Operand[],
): { destination: Operand; left: Operand; right: Operand; rest: readonly Operand[] } {
  const destination = operands[0] as Operand;
  if (b.shape.vectorLength === undefined) {
    return {
      destination,
      left: destination,
      right: operands[1] as Operand,
      rest: operands.slice(2),
    };
  }
  return {
    destination,
    left: operands[1] as Operand,
    right: operands[2] as Operand,
    rest: operands.slice(3),
  };
}

/** Writes the halves of a register; VEX encodings clear what lies above the last one. */
export function writeHalves(b: Semantics, destination: Operand, values: readonly Value[]): void {
  // A store of 256 bits whose end lies in a page that faults must not have written its beginning; looked
  // at piece by piece, the first byte that faults is the one reported.
  if (values.length === 2 && destination.kind === 'memory') {
    for (let at = 0; at < 32; at += 8) {
      b.loadForUpdate(b.add(destination.address(), b.i64(at)), 64);
    }
  }
  values.forEach((value, i) => {
    destination.writeVector(value, i * 16);
  });
  if (values.length === 1) clearUpper(b, destination);
}

/** Clears bits 255 to 128 of a register when the encoding is VEX. */
export function clearUpper(b: Semantics, destination: Operand): void {
  if (b.shape.vectorLength !== undefined && destination.kind !== 'memory') {
    destination.writeVector(zero(b), 16);
  }
}

/** Runs `lanes` over every half of two sources and writes the result. */
export function lanewise(b: Semantics, operands: readonly Operand[], lanes: Lanes): void {
  const { destination, left, right } = threeOperands(b, operands);
  const values = halves(b).map((at) => lanes(b, left.readVector(at), right.readVector(at)));
  writeHalves(b, destination, values);
  if (values.every((value) => value.op === 'const')) b.learn(destination, FACT.all);
}

/** Exclusive OR: of a register with itself, the usual way to clear it, it is zero. */
export const exclusiveOr: Lanes = (b, left, right) => {
  const [x, y] = [left.field, right.field];
  const same = x?.kind === 'fixed' && y?.kind === 'fixed' && x.offset === y.offset;
  return same ? zero(b) : b.pure('v128.xor', left, right);
};

/** Runs a function of one source over every half and writes the result. */
export function lanewiseUnary(
  b: Semantics,
  [destination, source]: readonly Operand[],
  lanes: (b: Semantics, source: Value) => Value,
): void {
  const values = halves(b).map((at) => lanes(b, (source as Operand).readVector(at)));
  writeHalves(b, destination as Operand, values);
}

// --- MMX

/** The 64 bits of an MMX operand in both halves of a vector. */
export function readMmx(b: Semantics, operand: Operand): Value {
  return b.pure('i64x2.splat', operand.readElement(64));
}

/**
 * Every MMX instruction but EMMS makes all x87 registers valid and TOP zero; call it after all reads.
 * SDM Vol. 1, 9.5.1.
 */
export function enterMmx(b: Semantics): void {
  b.writeField32(STATE.fpuTop, b.i32(0));
  b.writeField32(STATE.fpuValid, b.i32(0xff));
}

/** Writes an MMX register: the significand; sign and exponent of the x87 register become ones. */
export function writeMmx(b: Semantics, destination: Operand, value: Value): void {
  destination.writeElement(64, value);
  destination.writeElement(16, b.i64(0xffff), 8);
  enterMmx(b);
}

/** Runs `lanes` over 64-bit operands (the upper half of its result is dropped). */
export function mmxLanewise(
  b: Semantics,
  [destination, source]: readonly Operand[],
  lanes: Lanes,
): void {
  const result = lanes(b, readMmx(b, destination as Operand), readMmx(b, source as Operand));
  writeMmx(b, destination as Operand, lane64(b, result));
}

// --- values

export function zero(b: Semantics): Value {
  return b.v128(new Uint8Array(16));
}

/** A vector constant from its lanes of `width` bits, repeated to fill it. */
export function constant(
  b: Semantics,
  width: 8 | 16 | 32 | 64,
  ...lanes: (number | bigint)[]
): Value {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 128 / width; i++) {
    const value = BigInt.asUintN(width, BigInt(lanes[i % lanes.length] as number | bigint));
    if (width === 8) view.setUint8(i, Number(value));
    else if (width === 16) view.setUint16(i * 2, Number(value), true);
    else if (width === 32) view.setUint32(i * 4, Number(value), true);
    else view.setBigUint64(i * 8, value, true);
  }
  return b.v128(bytes);
}

/** Sixteen bytes chosen from `left` (0 to 15) and `right` (16 to 31). */
export function shuffle(
  b: Semantics,
  left: Value,
  right: Value,
  pattern: readonly number[],
): Value {
  return b.pureWith('i8x16.shuffle', Uint8Array.from(pattern), left, right);
}

/** A shuffle pattern in lanes of `bytes` bytes: lane numbers of `right` follow those of `left`. */
export function lanePattern(bytes: number, lanes: readonly number[]): number[] {
  return lanes.flatMap((lane) => Array.from({ length: bytes }, (_, i) => lane * bytes + i));
}

/** Low 64 bits of a vector, i64. */
export function lane64(b: Semantics, vector: Value, lane = 0): Value {
  return b.pureWith('i64x2.extract_lane', lane, vector);
}

/** Low 64 bits from an i64, upper 64 bits zero. */
export function fromLow64(b: Semantics, value: Value): Value {
  return b.pureWith('i64x2.replace_lane', 0, zero(b), value);
}

/** Value of an immediate when it is known as the meaning is built (regions), else undefined (handlers). */
export function known(value: Value): number | undefined {
  return value.op === 'const' ? Number(value.imm) : undefined;
}

// --- forms

/** Attributes of a legacy vector encoding. */
export function sse(opcode: string, operands: string, feature: string, ...more: Attribute[]): Form {
  return form(opcode, operands, 'sse', `cpuid:${feature}`, ...more);
}

/** Attributes of an MMX encoding. */
export function mmx(opcode: string, operands: string, feature = 'mmx'): Form {
  return form(opcode, operands, 'mmx', `cpuid:${feature}`);
}

/** One row of a table of lanewise instructions. */
export interface LaneRow {
  readonly name: string;
  /** opcode bytes after the mandatory prefix, e.g. `0F FC` */
  readonly opcode: string;
  /** CPUID feature of the 128-bit legacy form */
  readonly feature: string;
  /** CPUID feature of the 64-bit form; absent when there is none */
  readonly mmx: string | undefined;
  readonly lanes: Lanes;
}

export function laneRow(
  name: string,
  opcode: string,
  feature: string,
  mmxFeature: string | undefined,
  lanes: Lanes,
): LaneRow {
  return { name, opcode, feature, mmx: mmxFeature, lanes };
}

/** The legacy (66) and MMX (NP) forms of a row, with one meaning. */
export function laneInstruction(row: LaneRow): Instruction {
  const forms = [sse(`66 ${row.opcode} /r`, 'Vx Wx', row.feature, 'aligned')];
  if (row.mmx !== undefined) forms.push(mmx(`NP ${row.opcode} /r`, 'Pq Qq', row.mmx));
  return define(row.name, forms, (b, operands: readonly Operand[]) => {
    if (operands[0]?.kind === 'mmx') mmxLanewise(b, operands, row.lanes);
    else lanewise(b, operands, row.lanes);
  });
}
