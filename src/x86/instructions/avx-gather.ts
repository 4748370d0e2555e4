import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { AVX2, type Gates, vex } from './avx-shared.ts';
import { zero } from './sse-shared.ts';

/**
 * AVX2 gathers: VGATHERDPS and kin, VPGATHERDD and kin. SDM Vol. 2C; the vector index is SDM Vol. 2A, 2.3.12.
 *
 * An element is loaded where its mask has the sign bit set. Each one that is done clears its mask, so that
 * a gather that faults goes on where it stopped.
 */

const W0: Gates = { ...AVX2, w: 'W0' };
const W1: Gates = { ...AVX2, w: 'W1' };

/** What the eight gathers differ in; the longer of index and element fills the vector. */
interface Sizes {
  readonly indexBits: 32 | 64;
  readonly dataBits: 32 | 64;
}

function gather(sizes: Sizes) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    if (!b.isTranslated) {
      gatherByHelper(b, operands, sizes);
      return;
    }
    const whole = (1 << countOf(b, sizes)) - 1;
    b.if(
      b.eq(b.and(signs(b, operands[2] as Operand, sizes), b.i32(whole)), b.i32(whole)),
      () => gatherAll(b, operands, sizes),
      () => gatherByHelper(b, operands, sizes),
    );
  };
}

function countOf(b: Semantics, { indexBits, dataBits }: Sizes): number {
  return (b.shape.vectorLength ?? 128) / Math.max(indexBits, dataBits);
}

/** A bit for each element whose mask is negative. */
function signs(b: Semantics, mask: Operand, { dataBits }: Sizes): Value {
  const bitmask = (at: number) =>
    b.pure(dataBits === 32 ? 'i32x4.bitmask' : 'i64x2.bitmask', mask.readVector(at));
  if (b.shape.vectorLength !== 256) return bitmask(0);
  return b.or(bitmask(0), b.shl(bitmask(16), b.i32(128 / dataBits)));
}

function segmentOf(b: Semantics): Value {
  const based = b.shape.memory === 'seg64' || b.shape.memory === 'seg32';
  return based ? b.readState(b.slot('segment'), 'i64') : b.i64(0);
}

function gatherByHelper(b: Semantics, operands: readonly Operand[], sizes: Sizes): void {
  const [destination, memory, mask] = operands as [Operand, Operand, Operand];
  const { indexBits, dataBits } = sizes;
  const linearBits = b.shape.mode === 64 ? 64 : 32;
  b.helper(
    'gather',
    memory.offset(),
    segmentOf(b),
    destination.stateOffset(),
    mask.stateOffset(),
    b.fieldOffset(b.slot('index')),
    b.parameter('scale'),
    b.i32(indexBits | (dataBits << 8) | (countOf(b, sizes) << 16)),
    b.i32(b.shape.addressSize | (linearBits << 8)),
  );
}

/** The usual gather: every element is loaded, and then the mask is clear. In 64-bit mode. */
function gatherAll(b: Semantics, operands: readonly Operand[], sizes: Sizes): void {
  const [destination, memory, mask] = operands as [Operand, Operand, Operand];
  const { indexBits, dataBits } = sizes;
  const offset = memory.offset();
  const segment = segmentOf(b);
  const scale = b.widen(b.parameter('scale'));
  const loaded = Array.from({ length: countOf(b, sizes) }, (_, i) => {
    const far = b.add(offset, b.shl(indexAt(b, i, indexBits), scale));
    const effective = b.zeroExtend(far, b.shape.addressSize);
    return b.load(b.add(segment, effective), dataBits);
  });
  const perHalf = 128 / dataBits;
  for (const half of [0, 1]) {
    let value = zero(b);
    loaded.slice(half * perHalf, (half + 1) * perHalf).forEach((element, lane) => {
      value =
        dataBits === 32
          ? b.pureWith('i32x4.replace_lane', lane, value, b.wrap(element))
          : b.pureWith('i64x2.replace_lane', lane, value, element);
    });
    destination.writeVector(value, 16 * half);
    mask.writeVector(zero(b), 16 * half);
  }
}

/** Element `i` of the index vector, sign-extended. */
function indexAt(b: Semantics, i: number, indexBits: 32 | 64): Value {
  const perHalf = 128 / indexBits;
  const field = b.slot('index', i < perHalf ? 0 : 16);
  const half = b.readState(field, 'v128');
  const lane = i % perHalf;
  if (indexBits === 64) return b.pureWith('i64x2.extract_lane', lane, half);
  return b.pure('i64.extend_i32_s', b.pureWith('i32x4.extract_lane', lane, half));
}

const row = (name: string, opcode: string, gates: Gates, indexBits: 32 | 64, dataBits: 32 | 64) =>
  define(
    name,
    vex(`66 0F 38 ${opcode} /r`, `Vx M${dataBits === 32 ? 'd' : 'q'} Hx`, gates, 'vsib'),
    gather({ indexBits, dataBits }),
  );

export const avxGatherInstructions: readonly Instruction[] = [
  row('vpgatherdd', '90', W0, 32, 32),
  row('vpgatherdq', '90', W1, 32, 64),
  row('vpgatherqd', '91', W0, 64, 32),
  row('vpgatherqq', '91', W1, 64, 64),
  row('vgatherdps', '92', W0, 32, 32),
  row('vgatherdpd', '92', W1, 32, 64),
  row('vgatherqps', '93', W0, 64, 32),
  row('vgatherqpd', '93', W1, 64, 64),
];
