import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import {
  constant,
  enterMmx,
  fromLow64,
  halves,
  known,
  lane64,
  mmx,
  readMmx,
  sse,
  threeOperands,
  writeHalves,
  writeMmx,
} from './sse-shared.ts';
import { byteImmediate } from './sse-shuffle.ts';

/**
 * Insertion and extraction of one element whose number is an immediate, and widening moves.
 * SDM Vol. 2B "PINSRB", "PEXTRB", "PINSRW", "PEXTRW", "INSERTPS", "EXTRACTPS", "PMOVSX", "PMOVZX".
 */

type Width = 8 | 16 | 32 | 64;
const SHAPES: Record<Width, string> = { 8: 'i8x16', 16: 'i16x8', 32: 'i32x4', 64: 'i64x2' };

/** Element number of an immediate: as many low bits as there are elements. */
function elementNumber(b: Semantics, operand: Operand, count: number): Value {
  return b.and(byteImmediate(b, operand), b.i32(count - 1));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Element `lane` (i32, in range) of `vector`, zero-extended i64. */
function extract(b: Semantics, width: Width, vector: Value, lane: Value): Value {
  const fixed = known(lane);
  const first =
    fixed !== undefined
      ? lane64(b, vector, Math.floor((fixed * width) / 64))
      : lane64(
          b,
          b.pure(
            'i8x16.swizzle',
            vector,
            b.pure(
              'i8x16.add',
              b.pure('i8x16.splat', b.mul(lane, b.i32(width / 8))),
              constant(b, 8, ...upTo(16)),
            ),
          ),
        );
  const shift = fixed === undefined ? 0 : (fixed * width) % 64;
  return b.zeroExtend(shift === 0 ? first : b.shrU(first, b.i64(shift)), width);
}

/** `vector` with element `lane` (i32, in range) replaced by the low bits of an i64. */
function insert(b: Semantics, width: Width, vector: Value, lane: Value, value: Value): Value {
  const scalar = width === 64 ? value : b.wrap(value);
  const fixed = known(lane);
  if (fixed !== undefined)
    return b.pureWith(`${SHAPES[width]}.replace_lane`, fixed, vector, scalar);
  const number = width === 64 ? b.widen(lane) : lane;
  const chosen = b.pure(
    `${SHAPES[width]}.eq`,
    constant(b, width, ...upTo(128 / width)),
    b.pure(`${SHAPES[width]}.splat`, number),
  );
  return b.pure('v128.bitselect', b.pure(`${SHAPES[width]}.splat`, scalar), vector, chosen);
}

/** PEXTRB, PEXTRW, PEXTRD, PEXTRQ, EXTRACTPS: the element zero-extended into a register, or stored. */
export function extractElement(width: Width | 'operand') {
  return (b: Semantics, [destination, source, immediate]: readonly Operand[]): void => {
    const to = destination as Operand;
    const from = source as Operand;
    const bits = width === 'operand' ? (to.width as 32 | 64) : width;
    if (from.kind === 'mmx') {
      const lane = elementNumber(b, immediate as Operand, 4);
      to.write(extract(b, 16, readMmx(b, from), lane));
      enterMmx(b);
      return;
    }
    const lane = elementNumber(b, immediate as Operand, 128 / bits);
    const value = extract(b, bits, from.readVector(), lane);
    if (to.kind === 'memory') to.writeElement(bits, value);
    else to.write(value);
  };
}

/** PINSRB, PINSRW, PINSRD, PINSRQ. */
export function insertElement(width: Width | 'operand') {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right, rest } = threeOperands(b, operands);
    const bits = width === 'operand' ? (right.width as 32 | 64) : width;
    const value = right.kind === 'memory' ? right.readElement(bits) : right.readUnsigned();
    if (destination.kind === 'mmx') {
      const lane = elementNumber(b, rest[0] as Operand, 4);
      writeMmx(b, destination, lane64(b, insert(b, 16, readMmx(b, left), lane, value)));
      return;
    }
    const lane = elementNumber(b, rest[0] as Operand, 128 / bits);
    writeHalves(b, destination, [insert(b, bits, left.readVector(), lane, value)]);
  };
}

/** INSERTPS: imm[7:6] element of a register source, imm[5:4] place, imm[3:0] elements cleared. */
export function insertSingle(b: Semantics, operands: readonly Operand[]): void {
  const { destination, left, right, rest } = threeOperands(b, operands);
  const imm = byteImmediate(b, rest[0] as Operand);
  const value =
    right.kind === 'memory'
      ? right.readElement(32)
      : extract(b, 32, right.readVector(), b.shrU(imm, b.i32(6)));
  const place = b.and(b.shrU(imm, b.i32(4)), b.i32(3));
  const inserted = insert(b, 32, left.readVector(), place, value);
  const bits = constant(b, 32, 1, 2, 4, 8);
  const cleared = b.pure('i32x4.eq', b.pure('v128.and', b.pure('i32x4.splat', imm), bits), bits);
  writeHalves(b, destination, [b.pure('v128.andnot', inserted, cleared)]);
}

const elements: Instruction[] = [
  define(
    'pinsrb',
    [
      sse('66 0F 3A 20 /r ib', 'Vx Rd Ib', 'sse4_1'),
      sse('66 0F 3A 20 /r ib', 'Vx Mb Ib', 'sse4_1'),
    ],
    insertElement(8),
  ),
  define(
    'pinsrw',
    [
      sse('66 0F C4 /r ib', 'Vx Rd Ib', 'sse2'),
      sse('66 0F C4 /r ib', 'Vx Mw Ib', 'sse2'),
      mmx('NP 0F C4 /r ib', 'Pq Rd Ib', 'sse'),
      mmx('NP 0F C4 /r ib', 'Pq Mw Ib', 'sse'),
    ],
    insertElement(16),
  ),
  define('pinsrd', [sse('66 0F 3A 22 /r ib', 'Vx Ey Ib', 'sse4_1')], insertElement('operand')),
  define(
    'insertps',
    [
      sse('66 0F 3A 21 /r ib', 'Vx Ux Ib', 'sse4_1'),
      sse('66 0F 3A 21 /r ib', 'Vx Md Ib', 'sse4_1'),
    ],
    insertSingle,
  ),
  define(
    'pextrb',
    [
      sse('66 0F 3A 14 /r ib', 'Rd Vx Ib', 'sse4_1'),
      sse('66 0F 3A 14 /r ib', 'Mb Vx Ib', 'sse4_1'),
    ],
    extractElement(8),
  ),
  define(
    'pextrw',
    [
      sse('66 0F 3A 15 /r ib', 'Rd Vx Ib', 'sse4_1'),
      sse('66 0F 3A 15 /r ib', 'Mw Vx Ib', 'sse4_1'),
      sse('66 0F C5 /r ib', 'Gd Ux Ib', 'sse2'),
      mmx('NP 0F C5 /r ib', 'Gd Nq Ib', 'sse'),
    ],
    extractElement(16),
  ),
  define('pextrd', [sse('66 0F 3A 16 /r ib', 'Ey Vx Ib', 'sse4_1')], extractElement('operand')),
  define('extractps', [sse('66 0F 3A 17 /r ib', 'Ed Vx Ib', 'sse4_1')], extractElement(32)),
];

/** The steps that widen the low lanes of a vector from one width to another. */
function widenLanes(
  b: Semantics,
  vector: Value,
  from: Width,
  to: Width,
  suffix: 's' | 'u',
  high: boolean,
): Value {
  let value = vector;
  for (let width = from; width < to; width = (width * 2) as Width) {
    const wide = (width * 2) as Width;
    const half = high && wide === to ? 'high' : 'low';
    value = b.pure(`${SHAPES[wide]}.extend_${half}_${SHAPES[width]}_${suffix}`, value);
  }
  return value;
}

/** PMOVSX and PMOVZX: reads as many bits as the result has lanes to fill. */
export function widen(from: Width, to: Width, suffix: 's' | 'u') {
  return (b: Semantics, [destination, source]: readonly Operand[]): void => {
    const bits = (128 * halves(b).length * from) / to;
    const operand = source as Operand;
    const low =
      bits === 128 ? operand.readVector() : fromLow64(b, operand.readElement(bits as 16 | 32 | 64));
    const values = halves(b).map((_, half) => widenLanes(b, low, from, to, suffix, half === 1));
    writeHalves(b, destination as Operand, values);
  };
}

export interface WidenRow {
  readonly name: string;
  readonly opcode: string;
  readonly from: Width;
  readonly to: Width;
  readonly suffix: 's' | 'u';
}

const WIDENINGS: readonly (readonly [string, number, Width, Width])[] = [
  ['bw', 0x20, 8, 16],
  ['bd', 0x21, 8, 32],
  ['bq', 0x22, 8, 64],
  ['wd', 0x23, 16, 32],
  ['wq', 0x24, 16, 64],
  ['dq', 0x25, 32, 64],
];

export const widenRows: readonly WidenRow[] = WIDENINGS.flatMap(([letters, opcode, from, to]) =>
  (['s', 'u'] as const).map(
    (suffix): WidenRow => ({
      name: `pmov${suffix === 's' ? 's' : 'z'}x${letters}`,
      opcode: `0F 38 ${(opcode + (suffix === 's' ? 0 : 0x10)).toString(16)}`,
      from,
      to,
      suffix,
    }),
  ),
);

/** Size letter of the memory operand of a 128-bit form. */
const sourceSize = ({ from, to }: WidenRow): string =>
  ({ 2: 'q', 4: 'd', 8: 'w' })[to / from] as string;

const widenings = widenRows.map((row) =>
  define(
    row.name,
    [sse(`66 ${row.opcode} /r`, `Vx W${sourceSize(row)}`, 'sse4_1')],
    widen(row.from, row.to, row.suffix),
  ),
);

export const sseElementInstructions: readonly Instruction[] = [...elements, ...widenings];
