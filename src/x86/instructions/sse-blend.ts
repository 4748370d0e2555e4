import type { Value } from '../../ir/mod.ts';
import { define, type Instruction } from '../form.ts';
import type { Operand } from '../operand.ts';
import type { Semantics } from '../semantics.ts';
import { STATE, xmmOffset } from '../state.ts';
import {
  constant,
  exclusiveOr,
  halves,
  type Lanes,
  lanewise,
  sse,
  threeOperands,
  writeHalves,
} from './sse-shared.ts';
import { byteImmediate } from './sse-shuffle.ts';

/**
 * Bitwise logic of floating-point vectors, blends and PTEST.
 * SDM Vol. 2A "ANDPS", "BLENDPS"; Vol. 2B "PBLENDVB", "PBLENDW", "PTEST".
 */

type Width = 8 | 16 | 32 | 64;
const SHAPES: Record<Width, string> = { 8: 'i8x16', 16: 'i16x8', 32: 'i32x4', 64: 'i64x2' };

export const logic: Readonly<Record<'and' | 'andn' | 'or' | 'xor', Lanes>> = {
  and: (b, left, right) => b.pure('v128.and', left, right),
  andn: (b, left, right) => b.pure('v128.andnot', right, left),
  or: (b, left, right) => b.pure('v128.or', left, right),
  xor: exclusiveOr,
};

export const LOGIC_OPCODES = { and: '0F 54', andn: '0F 55', or: '0F 56', xor: '0F 57' } as const;

function logicInstruction(kind: keyof typeof logic): Instruction[] {
  const opcode = LOGIC_OPCODES[kind];
  return (['ps', 'pd'] as const).map((type) =>
    define(
      `${kind}${type}`,
      [
        sse(
          `${type === 'ps' ? 'NP' : '66'} ${opcode} /r`,
          'Vx Wx',
          type === 'ps' ? 'sse' : 'sse2',
          'aligned',
        ),
      ],
      (b, operands) => lanewise(b, operands, logic[kind]),
    ),
  );
}

/** A lane mask from immediate bits: lane i is all ones when bit `first` + i is set. */
function maskOfBits(b: Semantics, width: 16 | 32 | 64, imm: Value, first: number): Value {
  const lanes = 128 / width;
  const bits = constant(b, width, ...Array.from({ length: lanes }, (_, i) => 1 << (first + i)));
  const splat = b.pure(`${SHAPES[width]}.splat`, width === 64 ? b.widen(imm) : imm);
  return b.pure(`${SHAPES[width]}.eq`, b.pure('v128.and', splat, bits), bits);
}

/** BLENDPS, BLENDPD, PBLENDW, VPBLENDD: lanes of the second source where the immediate has a one. */
export function blendImmediate(width: 16 | 32 | 64) {
  return (b: Semantics, operands: readonly Operand[]): void => {
    const { destination, left, right, rest } = threeOperands(b, operands);
    const imm = byteImmediate(b, rest[0] as Operand);
    const values = halves(b).map((at, half) => {
      // PBLENDW uses the same eight bits for both halves.
      const first = width === 16 ? 0 : half * (128 / width);
      const mask = maskOfBits(b, width, imm, first);
      return b.pure('v128.bitselect', right.readVector(at), left.readVector(at), mask);
    });
    writeHalves(b, destination, values);
  };
}

/** Lanes of `right` where the sign bit of the mask's lane is set. */
export function blendBySign(
  b: Semantics,
  width: 8 | 32 | 64,
  left: Value,
  right: Value,
  mask: Value,
): Value {
  const lanes = b.pure(`${SHAPES[width]}.shr_s`, mask, b.i32(width - 1));
  return b.pure('v128.bitselect', right, left, lanes);
}

/** PBLENDVB, BLENDVPS, BLENDVPD of the legacy encoding: XMM0 is the mask. */
function blendVariable(width: 8 | 32 | 64) {
  return (b: Semantics, [destination, source]: readonly Operand[]): void => {
    const to = destination as Operand;
    const right = (source as Operand).readVector();
    const mask = b.readState({ kind: 'fixed', offset: xmmOffset(0) }, 'v128');
    to.writeVector(blendBySign(b, width, to.readVector(), right, mask));
  };
}

/** ZF when no bit is set in `both`, CF when none is set in `only`; the other flags are cleared. */
function testFlags(b: Semantics, both: Value, only: Value): void {
  b.writeField(STATE.flagZ, b.widen(both));
  b.writeField32(STATE.flagC, b.eqz(only));
  // A positive value of odd parity: SF = PF = 0.
  b.writeField(STATE.flagS, b.i64(1));
  b.writeField(STATE.flagO, b.i64(0));
  b.writeField(STATE.flagA, b.i64(0));
}

/** PTEST; with `width`, VTESTPS and VTESTPD, which look at sign bits alone. */
export function testVector(width?: 32 | 64) {
  return (b: Semantics, [first, second]: readonly Operand[]): void => {
    const any = (value: Value): Value =>
      width === undefined
        ? b.pure('v128.any_true', value)
        : b.pure(`${SHAPES[width]}.bitmask`, value);
    let both: Value | undefined;
    let only: Value | undefined;
    for (const at of halves(b)) {
      const left = (first as Operand).readVector(at);
      const right = (second as Operand).readVector(at);
      const inBoth = any(b.pure('v128.and', right, left));
      const inSecond = any(b.pure('v128.andnot', right, left));
      both = both === undefined ? inBoth : b.or(both, inBoth);
      only = only === undefined ? inSecond : b.or(only, inSecond);
    }
    testFlags(b, both as Value, only as Value);
  };
}

export const sseBlendInstructions: readonly Instruction[] = [
  ...(['and', 'andn', 'or', 'xor'] as const).flatMap(logicInstruction),
  define('pblendvb', [sse('66 0F 38 10 /r', 'Vx Wx', 'sse4_1', 'aligned')], blendVariable(8)),
  define('blendvps', [sse('66 0F 38 14 /r', 'Vx Wx', 'sse4_1', 'aligned')], blendVariable(32)),
  define('blendvpd', [sse('66 0F 38 15 /r', 'Vx Wx', 'sse4_1', 'aligned')], blendVariable(64)),
  define(
    'blendps',
    [sse('66 0F 3A 0C /r ib', 'Vx Wx Ib', 'sse4_1', 'aligned')],
    blendImmediate(32),
  ),
  define(
    'blendpd',
    [sse('66 0F 3A 0D /r ib', 'Vx Wx Ib', 'sse4_1', 'aligned')],
    blendImmediate(64),
  ),
  define(
    'pblendw',
    [sse('66 0F 3A 0E /r ib', 'Vx Wx Ib', 'sse4_1', 'aligned')],
    blendImmediate(16),
  ),
  define('ptest', [sse('66 0F 38 17 /r', 'Vx Wx', 'sse4_1', 'aligned')], testVector()),
];
