/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. SDM Vol. 2B, 4.1. */
import type { Value } from '../../ir/mod.ts';
import type { Cpu, Helper } from '../cpu.ts';
import type { CpuState } from '../cpu-state.ts';
import type { Routine } from '../routine.ts';
import { RAX, RCX, RDX, STATE, xmmOffset } from '../state.ts';

const FIRST = STATE.vectorScratch;
const SECOND = STATE.vectorScratch + 32;

/** The operands' elements, reused from call to call: C libraries search strings with these. */
const FIRST_ELEMENTS = new Int32Array(16);
const SECOND_ELEMENTS = new Int32Array(16);

/** Reads the elements of a vector, 16 bytes or 8 words, signed when the immediate says so. Returns their number. */
function readElements(state: CpuState, offset: number, imm: number, elements: Int32Array): number {
  const { u8 } = state;
  const words = (imm & 1) !== 0;
  const count = words ? 8 : 16;
  const shift = (imm & 2) === 0 ? 0 : words ? 16 : 24;
  for (let i = 0; i < count; i++) {
    const value = words
      ? (u8[offset + 2 * i] as number) | ((u8[offset + 2 * i + 1] as number) << 8)
      : (u8[offset + i] as number);
    elements[i] = (value << shift) >> shift;
  }
  return count;
}

/** Length of a string that ends at its first zero, of `count` elements at most. */
function implicitLength(text: Int32Array, count: number): number {
  for (let i = 0; i < count; i++) if (text[i] === 0) return i;
  return count;
}

/** Magnitude of EAX or EDX (RAX, RDX with REX.W), at most the number of elements. */
function explicitLength(state: CpuState, register: number, wide: boolean, limit: number): number {
  const value = BigInt.asIntN(wide ? 64 : 32, state.gpr(register));
  const magnitude = value < 0n ? -value : value;
  return magnitude > BigInt(limit) ? limit : Number(magnitude);
}

/**
 * One truth value for each element of the second string, in the aggregation mode of imm[3:2]. Elements
 * beyond the lengths count as the table "Override If Data Not Valid" says.
 */
function aggregate(
  mode: number,
  first: Int32Array,
  second: Int32Array,
  firstLength: number,
  secondLength: number,
  count: number,
): number {
  let result = 0;
  for (let j = 0; j < count; j++) {
    if (holds(mode, first, second, firstLength, secondLength, count, j)) result |= 1 << j;
  }
  return result;
}

function holds(
  mode: number,
  first: Int32Array,
  second: Int32Array,
  firstLength: number,
  secondLength: number,
  count: number,
  j: number,
): boolean {
  const valid = j < secondLength;
  const value = second[j] as number;
  switch (mode) {
    case 0: // equal any
      if (!valid) return false;
      for (let i = 0; i < firstLength; i++) if (first[i] === value) return true;
      return false;
    case 1: // ranges
      if (!valid) return false;
      for (let i = 0; i + 1 < firstLength; i += 2) {
        if (value >= (first[i] as number) && value <= (first[i + 1] as number)) return true;
      }
      return false;
    case 2: // equal each
      if (!valid || j >= firstLength) return !valid && j >= firstLength;
      return first[j] === value;
    default: // equal ordered: the first string begins at j, as far as the vector shows
      for (let i = 0; i < firstLength && i + j < count; i++) {
        if (i + j >= secondLength || first[i] !== second[i + j]) return false;
      }
      return true;
  }
}

/** `kind`: bit 0 explicit lengths, 1 mask result, 2 64-bit lengths, 3 clear the upper half of YMM0. */
function compareStrings(cpu: Cpu, kind: number, imm: number): void {
  const { state } = cpu;
  const first = FIRST_ELEMENTS;
  const second = SECOND_ELEMENTS;
  const count = readElements(state, FIRST, imm, first);
  readElements(state, SECOND, imm, second);
  const explicit = (kind & 1) !== 0;
  const wide = (kind & 4) !== 0;
  const firstLength = explicit
    ? explicitLength(state, RAX, wide, count)
    : implicitLength(first, count);
  const secondLength = explicit
    ? explicitLength(state, RDX, wide, count)
    : implicitLength(second, count);

  let result = aggregate((imm >> 2) & 3, first, second, firstLength, secondLength, count);
  const polarity = (imm >> 4) & 3;
  if (polarity === 1) result ^= (1 << count) - 1;
  else if (polarity === 3) result ^= (1 << secondLength) - 1;

  if ((kind & 2) === 0) {
    const index =
      result === 0 ? count : (imm & 64) !== 0 ? 31 - Math.clz32(result) : lowestBit(result);
    state.setGpr32(RCX, index);
  } else {
    writeMask(state, result, count, (imm & 64) !== 0);
    if ((kind & 8) !== 0) state.u8.fill(0, xmmOffset(0) + 16, xmmOffset(0) + 32);
  }

  state.set32(STATE.flagC, result === 0 ? 0 : 1);
  state.set64(STATE.flagZ, secondLength < count ? 0n : 1n);
  // Odd parity: PF = 0.
  state.set64(STATE.flagS, firstLength < count ? (1n << 63n) | 1n : 1n);
  state.set64(STATE.flagO, (result & 1) !== 0 ? 1n << 63n : 0n);
  state.set64(STATE.flagA, 0n);
}

const lowestBit = (value: number): number => 31 - Math.clz32(value & -value);

/** XMM0: the bits themselves, or a whole element for each. */
function writeMask(state: CpuState, bits: number, count: number, spread: boolean): void {
  const at = xmmOffset(0);
  const bytes = state.u8.subarray(at, at + 16).fill(0);
  if (!spread) {
    state.view.setUint16(at, bits, true);
    return;
  }
  const size = 16 / count;
  for (let i = 0; i < count; i++) {
    if (((bits >> i) & 1) !== 0) bytes.fill(0xff, i * size, (i + 1) * size);
  }
}

/** The aggregation alone, of bytes: see `holds`. */
function aggregateBytes(cpu: Cpu, imm: number, firstLength: number, secondLength: number): number {
  readElements(cpu.state, FIRST, imm, FIRST_ELEMENTS);
  const count = readElements(cpu.state, SECOND, imm, SECOND_ELEMENTS);
  const mode = (imm >> 2) & 3;
  return aggregate(mode, FIRST_ELEMENTS, SECOND_ELEMENTS, firstLength, secondLength, count);
}

/** The same in WebAssembly, a round for each byte of the first string; equal each is written out elsewhere. */
function aggregateRoutine(b: Routine): void {
  const [imm, firstLength, secondLength] = [b.param(0), b.param(1), b.param(2)];
  const second = b.readFixed(SECOND, 'v128');
  const valid = b.sub(b.shl(b.i32(1), secondLength), b.i32(1));
  const mode = b.and(imm, b.i32(0xc));
  const index = b.variable(b.i32(0));
  const byteAt = (at: Value): Value =>
    b.pure('i8x16.splat', b.readStateAt(b.add(at, b.i32(FIRST)), 'i32.8u'));
  const found = b.variable(b.v128(new Uint8Array(16)));
  const collect = (lanes: Value): void => b.set(found, b.pure('v128.or', b.get(found), lanes));
  const rounds = (step: number, length: Value, round: (at: Value) => void): void => {
    b.if(length, () => {
      b.loop(() => {
        round(b.get(index));
        b.set(index, b.add(b.get(index), b.i32(step)));
        return b.ltU(b.get(index), length);
      });
    });
  };
  const finish = (): void => b.set(b.result, b.and(b.pure('i8x16.bitmask', b.get(found)), valid));
  const any = (): void => {
    rounds(1, firstLength, (at) => collect(b.pure('i8x16.eq', second, byteAt(at))));
    finish();
  };
  const ranges = (): void => {
    // A bound without its partner does not count.
    rounds(2, b.and(firstLength, b.i32(~1)), (at) => {
      const [low, high] = [byteAt(at), byteAt(b.add(at, b.i32(1)))];
      const within = (sign: string): Value =>
        b.pure(
          'v128.and',
          b.pure(`i8x16.ge_${sign}`, second, low),
          b.pure(`i8x16.le_${sign}`, second, high),
        );
      b.if(
        b.and(imm, b.i32(2)),
        () => collect(within('s')),
        () => collect(within('u')),
      );
    });
    finish();
  };
  const inOrder = (): void => {
    b.set(b.result, b.i32(0xffff));
    rounds(1, firstLength, (at) => {
      // What would lie beyond the vector may be equal.
      const equal = b.and(b.pure('i8x16.bitmask', b.pure('i8x16.eq', second, byteAt(at))), valid);
      const moved = b.shrU(b.or(equal, b.i32(0xffff_0000 | 0)), at);
      b.set(b.result, b.and(b.get(b.result), moved));
    });
  };
  b.if(b.eqz(mode), any, () => b.if(b.eq(mode, b.i32(4)), ranges, inOrder));
}

export const vectorStringHelpers: Record<string, Helper> = {
  compareStrings: { params: ['i32', 'i32'], run: compareStrings },
  stringAggregate: {
    params: ['i32', 'i32', 'i32'],
    result: 'i32',
    run: aggregateBytes,
    routine: aggregateRoutine,
  },
};
