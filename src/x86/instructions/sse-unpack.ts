import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import {
  type Lanes,
  lane64,
  lanePattern,
  lanewise,
  mmx,
  readMmx,
  shuffle,
  sse,
  writeMmx,
} from './sse-shared.ts';

/**
 * Instructions whose result lanes come from several source lanes at fixed places: interleaving, packing
 * with saturation, horizontal addition. SDM Vol. 2B "PUNPCKLBW", "PACKSSWB", "PHADDW"; "UNPCKLPS".
 */

/** How an MMX form is computed from the 128-bit meaning. */
type MmxKind =
  /** interleaves the low halves: the low 64 bits of the interleaved low lanes */
  | 'low'
  /** interleaves the upper halves: the high 64 bits of the interleaved low lanes */
  | 'high'
  /** first source in the low half, second in the upper half; the low 64 bits of the result */
  | 'joined';

export interface UnpackRow {
  readonly name: string;
  readonly prefix: '66' | 'NP' | 'F2';
  readonly opcode: string;
  readonly feature: string;
  readonly mmx:
    | { readonly feature: string; readonly source: string; readonly kind: MmxKind }
    | undefined;
  readonly lanes: Lanes;
  /** meaning of the MMX form where it differs from `lanes` */
  readonly mmxLanes: Lanes;
}

/** Lanes of `bytes` bytes of the low or high half of both sources, taken in turn. */
function interleave(bytes: number, half: 'low' | 'high'): Lanes {
  const count = 8 / bytes;
  const first = half === 'low' ? 0 : count;
  const order = Array.from({ length: count }, (_, i) => [first + i, first + i + count * 2]).flat();
  const pattern = lanePattern(bytes, order);
  return (b, left, right) => shuffle(b, left, right, pattern);
}

function unpack(name: string, opcode: string, bytes: number, half: 'low' | 'high'): UnpackRow {
  const source = half === 'low' ? 'Qd' : 'Qq';
  return {
    name,
    prefix: '66',
    opcode,
    feature: 'sse2',
    mmx: bytes === 8 ? undefined : { feature: 'mmx', source, kind: half },
    lanes: interleave(bytes, half),
    mmxLanes: interleave(bytes, 'low'),
  };
}

function unpackFloat(
  name: string,
  prefix: '66' | 'NP',
  opcode: string,
  half: 'low' | 'high',
): UnpackRow {
  const lanes = interleave(prefix === 'NP' ? 4 : 8, half);
  return {
    name,
    prefix,
    opcode,
    feature: prefix === 'NP' ? 'sse' : 'sse2',
    mmx: undefined,
    lanes,
    mmxLanes: lanes,
  };
}

function joined(
  name: string,
  opcode: string,
  feature: string,
  mmxFeature: string | undefined,
  lanes: Lanes,
): UnpackRow {
  return {
    name,
    prefix: '66',
    opcode,
    feature,
    mmx:
      mmxFeature === undefined ? undefined : { feature: mmxFeature, source: 'Qq', kind: 'joined' },
    lanes,
    mmxLanes: lanes,
  };
}

const op =
  (name: string): Lanes =>
  (b, left, right) =>
    b.pure(name, left, right);

/** Neighbouring lanes combined: first those of the first source, then those of the second. */
function horizontal(name: string, bytes: 2 | 4): Lanes {
  const count = 16 / bytes;
  const even = lanePattern(
    bytes,
    Array.from({ length: count }, (_, i) => 2 * i),
  );
  const odd = lanePattern(
    bytes,
    Array.from({ length: count }, (_, i) => 2 * i + 1),
  );
  return (b, left, right) =>
    b.pure(name, shuffle(b, left, right, even), shuffle(b, left, right, odd));
}

export const unpackRows: readonly UnpackRow[] = [
  unpack('punpcklbw', '0F 60', 1, 'low'),
  unpack('punpcklwd', '0F 61', 2, 'low'),
  unpack('punpckldq', '0F 62', 4, 'low'),
  unpack('punpcklqdq', '0F 6C', 8, 'low'),
  unpack('punpckhbw', '0F 68', 1, 'high'),
  unpack('punpckhwd', '0F 69', 2, 'high'),
  unpack('punpckhdq', '0F 6A', 4, 'high'),
  unpack('punpckhqdq', '0F 6D', 8, 'high'),
  unpackFloat('unpcklps', 'NP', '0F 14', 'low'),
  unpackFloat('unpcklpd', '66', '0F 14', 'low'),
  unpackFloat('unpckhps', 'NP', '0F 15', 'high'),
  unpackFloat('unpckhpd', '66', '0F 15', 'high'),
  joined('packsswb', '0F 63', 'sse2', 'mmx', op('i8x16.narrow_i16x8_s')),
  joined('packuswb', '0F 67', 'sse2', 'mmx', op('i8x16.narrow_i16x8_u')),
  joined('packssdw', '0F 6B', 'sse2', 'mmx', op('i16x8.narrow_i32x4_s')),
  joined('packusdw', '0F 38 2B', 'sse4_1', undefined, op('i16x8.narrow_i32x4_u')),
  joined('phaddw', '0F 38 01', 'ssse3', 'ssse3', horizontal('i16x8.add', 2)),
  joined('phaddd', '0F 38 02', 'ssse3', 'ssse3', horizontal('i32x4.add', 4)),
  joined('phaddsw', '0F 38 03', 'ssse3', 'ssse3', horizontal('i16x8.add_sat_s', 2)),
  joined('phsubw', '0F 38 05', 'ssse3', 'ssse3', horizontal('i16x8.sub', 2)),
  joined('phsubd', '0F 38 06', 'ssse3', 'ssse3', horizontal('i32x4.sub', 4)),
  joined('phsubsw', '0F 38 07', 'ssse3', 'ssse3', horizontal('i16x8.sub_sat_s', 2)),
];

function mmxUnpack(b: Semantics, operands: readonly Operand[], kind: MmxKind, lanes: Lanes): void {
  const [destination, source] = operands as [Operand, Operand];
  const left = readMmx(b, destination);
  if (kind === 'joined') {
    const both = b.pureWith('i64x2.replace_lane', 1, left, source.readElement(64));
    writeMmx(b, destination, lane64(b, lanes(b, both, both)));
    return;
  }
  // The low forms read 32 bits from memory.
  const right = b.pure('i64x2.splat', source.readElement(kind === 'low' ? 32 : 64));
  writeMmx(b, destination, lane64(b, lanes(b, left, right), kind === 'low' ? 0 : 1));
}

function unpackInstruction(row: UnpackRow): Instruction {
  const forms = [sse(`${row.prefix} ${row.opcode} /r`, 'Vx Wx', row.feature, 'aligned')];
  const small = row.mmx;
  if (small !== undefined)
    forms.push(mmx(`NP ${row.opcode} /r`, `Pq ${small.source}`, small.feature));
  return define(row.name, forms, (b, operands: readonly Operand[]) => {
    if (small !== undefined && operands[0]?.kind === 'mmx') {
      mmxUnpack(b, operands, small.kind, row.mmxLanes);
    } else lanewise(b, operands, row.lanes);
  });
}

export const sseUnpackInstructions: readonly Instruction[] = unpackRows.map(unpackInstruction);
