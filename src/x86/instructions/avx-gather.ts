import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { AVX2, type Gates, vex } from './avx-shared.ts';

/**
 * AVX2 gathers: VGATHERDPS and kin, VPGATHERDD and kin. SDM Vol. 2C; the vector index is SDM Vol. 2A, 2.3.12.
 *
 * An element is loaded where its mask has the sign bit set. Each one that is done clears its mask, so that
 * a gather that faults goes on where it stopped.
 */

const W0: Gates = { ...AVX2, w: 'W0' };
const W1: Gates = { ...AVX2, w: 'W1' };

/** `dataBits` of each element at an index of `indexBits`; the longer of the two fills the vector. */
function gather(indexBits: 32 | 64, dataBits: 32 | 64) {
  return (b: Semantics, [destination, memory, mask]: readonly Operand[]): void => {
    const { shape } = b;
    const kind = shape.memory;
    const based = kind === 'seg64' || kind === 'seg32';
    const segment = based ? b.readState(b.slot('segment'), 'i64') : b.i64(0);
    const count = (shape.vectorLength ?? 128) / Math.max(indexBits, dataBits);
    const linearBits = shape.mode === 64 ? 64 : 32;
    b.helper(
      'gather',
      (memory as Operand).offset(),
      segment,
      (destination as Operand).stateOffset(),
      (mask as Operand).stateOffset(),
      b.fieldOffset(b.slot('index')),
      b.parameter('scale'),
      b.i32(indexBits | (dataBits << 8) | (count << 16)),
      b.i32(shape.addressSize | (linearBits << 8)),
    );
  };
}

const row = (name: string, opcode: string, gates: Gates, indexBits: 32 | 64, dataBits: 32 | 64) =>
  define(
    name,
    vex(`66 0F 38 ${opcode} /r`, `Vx M${dataBits === 32 ? 'd' : 'q'} Hx`, gates, 'vsib'),
    gather(indexBits, dataBits),
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
