import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { vex, vexForm, vexScalar } from './avx-shared.ts';
import { type FloatWidth, getScratch, narrow, putScratch, SECOND } from './sse-careful.ts';
import { writeScalar } from './sse-float.ts';
import { fromLow64, halves, lane64, writeHalves } from './sse-shared.ts';
import { byteImmediate } from './sse-shuffle.ts';

/**
 * FMA: products added with one rounding; F16C: half precision. Both always careful.
 * SDM Vol. 2C "VFMADD132PD", "VCVTPH2PS".
 */

/** What is negated: bit 0 the product, bit 1 the addend of even lanes, bit 2 the addend of odd lanes. */
const KINDS = [
  ['fmaddsub', 6, 0b010, false],
  ['fmsubadd', 7, 0b100, false],
  ['fmadd', 8, 0b000, true],
  ['fmsub', 10, 0b110, true],
  ['fnmadd', 12, 0b001, true],
  ['fnmsub', 14, 0b111, true],
] as const;

/** Order of the operands: which are multiplied, first and second, and which is added. */
const ORDERS = [
  ['132', 0x90, [0, 2, 1]],
  ['213', 0xa0, [1, 0, 2]],
  ['231', 0xb0, [1, 2, 0]],
] as const;

/** A fused instruction over `[destination, second, third]` in the given order. */
function fused(width: FloatWidth, order: readonly number[], negate: number, scalar: boolean) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const sources = order.map((place) => operands[place] as Operand);
    const destination = operands[0] as Operand;
    const at = scalar ? [0] : halves(b);
    // All reads come before the first write, the memory operand's among them.
    const values = sources.map((source) =>
      at.map((offset) =>
        scalar ? narrow(b, width, source.readElement(width)) : source.readVector(offset),
      ),
    );
    values.forEach((parts, which) => {
      parts.forEach((value, i) => {
        putScratch(b, which * SECOND + i * 16, value);
      });
    });
    const lanes = scalar ? 1 : (at.length * 128) / width;
    b.helper('floatFused', b.i32(width), b.i32(lanes), b.i32(negate));
    if (scalar) {
      const result = getScratch(b, 0, width === 32 ? 'i32' : 'i64');
      writeScalar(b, destination, destination, width, result);
    } else {
      const results = at.map((offset) => getScratch(b, offset, 'v128'));
      writeHalves(b, destination, results);
    }
  };
}

const fusedInstructions: Instruction[] = ORDERS.flatMap(([digits, base, order]) =>
  KINDS.flatMap(([kind, offset, negate, hasScalar]) => {
    const opcode = (add: number): string =>
      `66 0F 38 ${(base + offset + add).toString(16).toUpperCase()} /r`;
    const gates = (w: 'W0' | 'W1') => ({ narrow: 'fma', wide: 'fma', w });
    const packed = (['W0', 'W1'] as const).map((w) =>
      define(
        `v${kind}${digits}p${w === 'W0' ? 's' : 'd'}`,
        vex(opcode(0), 'Vx Hx Wx', gates(w)),
        fused(w === 'W0' ? 32 : 64, order, negate, false),
      ),
    );
    if (!hasScalar) return packed;
    const scalars = (['W0', 'W1'] as const).map((w) => {
      const size = w === 'W0' ? 'ss' : 'sd';
      return define(
        `v${kind}${digits}${size}`,
        vexScalar(opcode(1), `V${size} H${size} W${size}`, w, 'fma'),
        fused(w === 'W0' ? 32 : 64, order, negate, true),
      );
    });
    return [...packed, ...scalars];
  }),
);

/** VCVTPH2PS: as many halves as the result has lanes. */
function halvesToSingles(b: Semantics, [destination, operand]: readonly Operand[]): void {
  const source = operand as Operand;
  const at = halves(b);
  const raw = at.length === 1 ? fromLow64(b, source.readElement(64)) : source.readVector();
  putScratch(b, 0, raw);
  b.helper('floatFromHalf', b.i32(at.length * 4));
  writeHalves(
    b,
    destination as Operand,
    at.map((offset) => getScratch(b, offset, 'v128')),
  );
}

/** VCVTPS2PH: rounding by the immediate, or by MXCSR when its bit 2 is set. */
function singlesToHalves(b: Semantics, operands: readonly Operand[]): void {
  const [destination, source, immediate] = operands as [Operand, Operand, Operand];
  const at = halves(b);
  const values: Value[] = at.map((offset) => source.readVector(offset));
  // A store that faults must do so before the helper sets flags.
  if (destination.kind === 'memory') {
    for (const offset of at) {
      b.loadForUpdate(b.add(destination.address(), b.i64(offset / 2)), 64);
    }
  }
  values.forEach((value, i) => {
    putScratch(b, i * 16, value);
  });
  b.helper('floatToHalf', b.i32(at.length * 4), byteImmediate(b, immediate));
  const result = getScratch(b, 0, 'v128');
  if (destination.kind !== 'memory') writeHalves(b, destination, [result]);
  else if (at.length === 1) destination.writeElement(64, lane64(b, result));
  else destination.writeVector(result);
}

const halfPrecision: Instruction[] = [
  define(
    'vcvtph2ps',
    [
      vexForm(128, '66 0F 38 13 /r', 'Vdq Wq', 'f16c', 'W0'),
      vexForm(256, '66 0F 38 13 /r', 'Vqq Wdq', 'f16c', 'W0'),
    ],
    halvesToSingles,
  ),
  define(
    'vcvtps2ph',
    [
      vexForm(128, '66 0F 3A 1D /r ib', 'Wq Vdq Ib', 'f16c', 'W0'),
      vexForm(256, '66 0F 3A 1D /r ib', 'Wdq Vqq Ib', 'f16c', 'W0'),
    ],
    singlesToHalves,
  ),
];

export const avxFmaInstructions: readonly Instruction[] = [...fusedInstructions, ...halfPrecision];
