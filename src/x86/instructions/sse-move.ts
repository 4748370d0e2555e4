import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import { FACT, type Semantics } from '../semantics.ts';
import { RDI } from '../state.ts';
import {
  enterMmx,
  fromLow64,
  halves,
  lanePattern,
  lanewiseUnary,
  mmx,
  readMmx,
  shuffle,
  sse,
  threeOperands,
  writeHalves,
  writeMmx,
} from './sse-shared.ts';

/**
 * Moves of whole vectors, of elements, and between vectors, MMX and general registers (MOVNTI: mov.ts).
 * SDM Vol. 2B "MOVAPS" to "MOVUPS". Non-temporal hints have no meaning here.
 */

/** Copies every half. */
export function moveVector(b: Semantics, [destination, source]: readonly Operand[]): void {
  const values = halves(b).map((at) => (source as Operand).readVector(at));
  writeHalves(b, destination as Operand, values);
  b.learnSame(destination as Operand, source as Operand, FACT.all);
}

function moves(
  name: string,
  feature: string,
  load: string,
  store: string,
  ...more: 'aligned'[]
): Instruction {
  return define(
    name,
    [sse(load, 'Vx Wx', feature, ...more), sse(store, 'Wx Vx', feature, ...more)],
    moveVector,
  );
}

/** A store or load that only exists with memory. */
function memoryMove(
  name: string,
  opcode: string,
  operands: string,
  feature: string,
  ...more: 'aligned'[]
): Instruction {
  return define(name, [sse(opcode, operands, feature, ...more)], moveVector);
}

const wholeMoves: Instruction[] = [
  moves('movups', 'sse', 'NP 0F 10 /r', 'NP 0F 11 /r'),
  moves('movupd', 'sse2', '66 0F 10 /r', '66 0F 11 /r'),
  moves('movaps', 'sse', 'NP 0F 28 /r', 'NP 0F 29 /r', 'aligned'),
  moves('movapd', 'sse2', '66 0F 28 /r', '66 0F 29 /r', 'aligned'),
  moves('movdqa', 'sse2', '66 0F 6F /r', '66 0F 7F /r', 'aligned'),
  moves('movdqu', 'sse2', 'F3 0F 6F /r', 'F3 0F 7F /r'),
  memoryMove('lddqu', 'F2 0F F0 /r', 'Vx Mx', 'pni'),
  memoryMove('movntps', 'NP 0F 2B /r', 'Mx Vx', 'sse', 'aligned'),
  memoryMove('movntpd', '66 0F 2B /r', 'Mx Vx', 'sse2', 'aligned'),
  memoryMove('movntdq', '66 0F E7 /r', 'Mx Vx', 'sse2', 'aligned'),
  memoryMove('movntdqa', '66 0F 38 2A /r', 'Vx Mx', 'sse4_1', 'aligned'),
];

/**
 * MOVSS and MOVSD: from memory the rest of the register is cleared; between registers it is kept (legacy)
 * or comes from the first source (VEX).
 */
export function moveScalar(width: 32 | 64) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const destination = operands[0] as Operand;
    const source = operands[operands.length - 1] as Operand;
    const value = source.readElement(width);
    if (destination.kind === 'memory') destination.writeElement(width, value);
    else if (source.kind === 'memory') writeHalves(b, destination, [fromLow64(b, value)]);
    else if (b.shape.vectorLength === undefined) {
      destination.writeElement(width, value);
      b.learnSame(destination, source, width === 32 ? FACT.single : FACT.double);
    } else {
      const rest = (operands[1] as Operand).readVector();
      writeHalves(b, destination, [replaceLow(b, width, rest, value)]);
    }
  };
}

/** `vector` with its low element replaced by the low `width` bits of an i64. */
export function replaceLow(b: Semantics, width: 32 | 64, vector: Value, value: Value): Value {
  if (width === 64) return b.pureWith('i64x2.replace_lane', 0, vector, value);
  return b.pureWith('i32x4.replace_lane', 0, vector, b.wrap(value));
}

const scalarMoves: Instruction[] = [
  define(
    'movss',
    [
      sse('F3 0F 10 /r', 'Vss Uss', 'sse'),
      sse('F3 0F 10 /r', 'Vss Mss', 'sse'),
      sse('F3 0F 11 /r', 'Wss Vss', 'sse'),
    ],
    moveScalar(32),
  ),
  define(
    'movsd',
    [
      sse('F2 0F 10 /r', 'Vsd Usd', 'sse2'),
      sse('F2 0F 10 /r', 'Vsd Msd', 'sse2'),
      sse('F2 0F 11 /r', 'Wsd Vsd', 'sse2'),
    ],
    moveScalar(64),
  ),
];

/**
 * Writes one half of the destination; the other half is kept (legacy) or comes from the first source
 * (VEX). A destination in memory receives the `to` half of the source.
 */
export function moveHalf(to: 'low' | 'high', from: 'low' | 'high') {
  return (b: Semantics, operands: readonly Operand[]): void => {
    if (operands[0]?.kind === 'memory') {
      storeHalf(to, operands);
      return;
    }
    const { destination, left, right } = threeOperands(b, operands);
    const value = right.readElement(64, right.kind === 'memory' || from === 'low' ? 0 : 8);
    if (b.shape.vectorLength === undefined) {
      destination.writeElement(64, value, to === 'low' ? 0 : 8);
      return;
    }
    const lane = to === 'low' ? 0 : 1;
    writeHalves(b, destination, [b.pureWith('i64x2.replace_lane', lane, left.readVector(), value)]);
  };
}

function storeHalf(which: 'low' | 'high', [destination, source]: readonly Operand[]): void {
  const value = (source as Operand).readElement(64, which === 'low' ? 0 : 8);
  (destination as Operand).writeElement(64, value);
}

const halfMoves: Instruction[] = [
  define(
    'movlps',
    [sse('NP 0F 12 /r', 'Vq Mq', 'sse'), sse('NP 0F 13 /r', 'Mq Vq', 'sse')],
    moveHalf('low', 'low'),
  ),
  define(
    'movlpd',
    [sse('66 0F 12 /r', 'Vq Mq', 'sse2'), sse('66 0F 13 /r', 'Mq Vq', 'sse2')],
    moveHalf('low', 'low'),
  ),
  define(
    'movhps',
    [sse('NP 0F 16 /r', 'Vq Mq', 'sse'), sse('NP 0F 17 /r', 'Mq Vq', 'sse')],
    moveHalf('high', 'low'),
  ),
  define(
    'movhpd',
    [sse('66 0F 16 /r', 'Vq Mq', 'sse2'), sse('66 0F 17 /r', 'Mq Vq', 'sse2')],
    moveHalf('high', 'low'),
  ),
  define('movhlps', [sse('NP 0F 12 /r', 'Vq Uq', 'sse')], moveHalf('low', 'high')),
  define('movlhps', [sse('NP 0F 16 /r', 'Vq Uq', 'sse')], moveHalf('high', 'low')),
];

/** Copies chosen 32-bit lanes of one source. */
export function duplicate(lanes: readonly number[]) {
  return (b: Semantics, operands: readonly Operand[]): void =>
    lanewiseUnary(b, operands, (_b, source) => shuffle(b, source, source, lanePattern(4, lanes)));
}

/** MOVDDUP: the low 64 bits twice; 64 bits are read from memory by the 128-bit form. */
export function moveDoubleDuplicate(b: Semantics, operands: readonly Operand[]): void {
  const [destination, source] = operands as [Operand, Operand];
  if (b.shape.vectorLength === 256) duplicate([0, 1, 0, 1])(b, operands);
  else writeHalves(b, destination, [b.pure('i64x2.splat', source.readElement(64))]);
}

const duplicateMoves: Instruction[] = [
  define('movsldup', [sse('F3 0F 12 /r', 'Vx Wx', 'pni', 'aligned')], duplicate([0, 0, 2, 2])),
  define('movshdup', [sse('F3 0F 16 /r', 'Vx Wx', 'pni', 'aligned')], duplicate([1, 1, 3, 3])),
  define('movddup', [sse('F2 0F 12 /r', 'Vx Wq', 'pni')], moveDoubleDuplicate),
];

/** MOVD and MOVQ to a vector register (the rest is cleared), to an MMX register, or from either. */
export function moveGeneral(b: Semantics, [destination, source]: readonly Operand[]): void {
  const [to, from] = [destination as Operand, source as Operand];
  if (to.kind === 'vector') writeHalves(b, to, [fromLow64(b, from.readUnsigned())]);
  else if (to.kind === 'mmx') writeMmx(b, to, from.readUnsigned());
  else {
    to.write(from.readElement(to.width as 32 | 64));
    if (from.kind === 'mmx') enterMmx(b);
  }
}

/** MOVQ between vector registers and memory: the rest of a register is cleared. */
export function moveQuadword(b: Semantics, [destination, source]: readonly Operand[]): void {
  const value = (source as Operand).readElement(64);
  if ((destination as Operand).kind === 'memory') (destination as Operand).writeElement(64, value);
  else {
    writeHalves(b, destination as Operand, [fromLow64(b, value)]);
    b.learnSame(destination as Operand, source as Operand, FACT.double);
  }
}

/** MOVQ, MOVNTQ: MMX registers and memory. */
function moveMmx(b: Semantics, [destination, source]: readonly Operand[]): void {
  const value = (source as Operand).readElement(64);
  if ((destination as Operand).kind === 'mmx') writeMmx(b, destination as Operand, value);
  else {
    (destination as Operand).writeElement(64, value);
    enterMmx(b);
  }
}

const quadMoves: Instruction[] = [
  define(
    'movd',
    [
      sse('66 0F 6E /r', 'Vx Ey', 'sse2'),
      sse('66 0F 7E /r', 'Ey Vx', 'sse2'),
      mmx('NP 0F 6E /r', 'Pq Ey'),
      mmx('NP 0F 7E /r', 'Ey Pq'),
    ],
    moveGeneral,
  ),
  define(
    'movq',
    [
      sse('F3 0F 7E /r', 'Vq Wq', 'sse2'),
      sse('66 0F D6 /r', 'Wq Vq', 'sse2'),
      mmx('NP 0F 6F /r', 'Pq Qq'),
      mmx('NP 0F 7F /r', 'Qq Pq'),
    ],
    (b, operands: readonly Operand[]) => {
      const isMmx = operands.some(({ kind }) => kind === 'mmx');
      (isMmx ? moveMmx : moveQuadword)(b, operands);
    },
  ),
  define('movntq', [mmx('NP 0F E7 /r', 'Mq Pq', 'sse')], moveMmx),
  define(
    'movq2dq',
    [form('F3 0F D6 /r', 'Vq Nq', 'sse', 'mmx', 'cpuid:sse2')],
    (b, [destination, source]) => {
      writeHalves(b, destination, [fromLow64(b, source.readElement(64))]);
      enterMmx(b);
    },
  ),
  define(
    'movdq2q',
    [form('F2 0F D6 /r', 'Pq Uq', 'sse', 'mmx', 'cpuid:sse2')],
    (b, [destination, source]) => {
      writeMmx(b, destination, source.readElement(64));
    },
  ),
];

/** Sign bits of lanes, into a general register. */
function signMask(shape: string) {
  return (b: Semantics, [destination, source]: readonly Operand[]): void => {
    const lanes = shape === 'i8x16' ? 16 : shape === 'i32x4' ? 4 : 2;
    const masks = halves(b).map((at) =>
      b.pure(`${shape}.bitmask`, (source as Operand).readVector(at)),
    );
    const low = masks[0] as Value;
    const high = masks[1];
    const all = high === undefined ? low : b.or(low, b.shl(high, b.i32(lanes)));
    (destination as Operand).write(b.widen(all));
  };
}

export const maskPackedSingle = signMask('i32x4');
export const maskPackedDouble = signMask('i64x2');
export const maskBytes = signMask('i8x16');

const masks: Instruction[] = [
  define('movmskps', [sse('NP 0F 50 /r', 'Gd Ux', 'sse')], maskPackedSingle),
  define('movmskpd', [sse('66 0F 50 /r', 'Gd Ux', 'sse2')], maskPackedDouble),
  define(
    'pmovmskb',
    [sse('66 0F D7 /r', 'Gd Ux', 'sse2'), mmx('NP 0F D7 /r', 'Gd Nq', 'sse')],
    (b, operands: readonly Operand[]) => {
      const [destination, source] = operands as [Operand, Operand];
      if (source.kind !== 'mmx') {
        maskBytes(b, operands);
        return;
      }
      const mask = b.pure('i8x16.bitmask', readMmx(b, source));
      destination.write(b.widen(b.and(mask, b.i32(0xff))));
      enterMmx(b);
    },
  ),
];

/** Linear address DS:rDI of the masked stores, with the instruction's address size and segment prefix. */
function maskedStoreAddress(b: Semantics): Value {
  const offset = b.readGprUnsigned(RDI, b.shape.addressSize);
  const linear = b.add(b.readState(b.slot('segment'), 'i64'), offset);
  return b.shape.mode === 64 ? linear : b.zeroExtend(linear, 32);
}

/** MASKMOVDQU, MASKMOVQ: the bytes whose mask byte has its sign bit set are stored. */
function maskedStore(bytes: 8 | 16) {
  return (b: Semantics, [source, mask]: readonly Operand[]): void => {
    const offsets = [(source as Operand).stateOffset(), (mask as Operand).stateOffset()] as const;
    if (bytes === 8) {
      b.helper('maskedStoreMmx', maskedStoreAddress(b), ...offsets);
    } else b.helper('maskedStore', maskedStoreAddress(b), ...offsets);
  };
}

const maskedStores: Instruction[] = [
  define('maskmovdqu', [sse('66 0F F7 /r', 'Vx Ux', 'sse2')], maskedStore(16)),
  define('maskmovq', [mmx('NP 0F F7 /r', 'Pq Nq', 'sse')], maskedStore(8)),
];

export const sseMoveInstructions: readonly Instruction[] = [
  ...wholeMoves,
  ...scalarMoves,
  ...halfMoves,
  ...duplicateMoves,
  ...quadMoves,
  ...masks,
  ...maskedStores,
];
