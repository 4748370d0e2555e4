import type { MemoryWidth, Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { RAX, RCX, RDI, RSI, STATE } from '../state.ts';
import { dataAddress, extraAddress } from './addressing.ts';
import { quickly } from './quickly.ts';

/**
 * String instructions. One step is written here; with a repeat prefix a helper works in page-sized
 * pieces (helpers/string.ts). SDM Vol. 1, 7.3.9 and Vol. 2 "MOVS", "CMPS", "STOS", "LODS", "SCAS", "REP".
 */
function defineString(
  name: string,
  opcode: number,
  helper: string,
  step: (b: Semantics, width: MemoryWidth) => void,
  quick?: (b: Semantics, width: MemoryWidth, slow: () => void) => void,
): Instruction[] {
  const make = (suffix: string, at: number, byte: boolean) =>
    define(`${name}${suffix}`, [form(at.toString(16).toUpperCase(), '', 'rep')], (b) => {
      const width = byte ? 8 : b.shape.operandSize;
      if (b.shape.repeat === 'none') step(b, width);
      else if (quick !== undefined && hasRoutine(b))
        quick(b, width, () => repeat(b, helper, width));
      else repeat(b, helper, width);
    });
  return [make('b', opcode, true), make('', opcode + 1, false)];
}

/** Routines take linear addresses: an offset must be one. */
function hasRoutine(b: Semantics): boolean {
  const { addressSize, mode } = b.shape;
  return addressSize === (mode === 64 ? 64 : 32) && (mode === 64 || b.isFlat);
}

/** Packs what the helper must know of the shape into one number: see helpers/string.ts. */
function repeat(b: Semantics, helper: string, width: number): void {
  const { addressSize, mode, repeat } = b.shape;
  const bits =
    (width / 8) |
    (addressSize << 8) |
    (mode === 64 ? 1 << 16 : 0) |
    (repeat === 'repne' ? 1 << 17 : 0) |
    (b.shape.checked === true ? 1 << 18 : 0);
  b.helper(helper, b.i32(bits), b.fieldOffset(b.slot('segment')));
}

const pointer = (b: Semantics, index: number): Value =>
  b.readGprUnsigned(index, b.shape.addressSize);

/** Moves rSI or rDI by one element: down when DF is set. */
function advance(b: Semantics, index: number, step: Value): void {
  b.writeGpr(index, b.shape.addressSize, b.add(pointer(b, index), step));
}

/** The element's size in bytes, negative when DF is set. */
function stride(b: Semantics, width: number): Value {
  const bytes = width / 8;
  const direction = b.and(b.shrU(b.readField32(STATE.eflags), b.i32(10)), b.i32(1));
  return b.sub(b.i64(bytes), b.mul(b.widen(direction), b.i64(2 * bytes)));
}

const stepMovs = (b: Semantics, width: MemoryWidth): void => {
  const value = b.load(dataAddress(b, pointer(b, RSI)), width);
  b.store(extraAddress(b, pointer(b, RDI)), width, value);
  const step = stride(b, width);
  advance(b, RSI, step);
  advance(b, RDI, step);
};

/** A repeated instruction that a routine has done whole: `pointers` have moved up, the count is 0. */
function finishRepeat(b: Semantics, width: number, ...pointers: number[]): void {
  const size = b.shape.addressSize;
  const finish = (): void => {
    const bytes = b.shl(pointer(b, RCX), b.i64(Math.log2(width / 8)));
    for (const index of pointers) b.writeGpr(index, size, b.add(pointer(b, index), bytes));
    b.writeGpr(RCX, size, b.i64(0));
  };
  // Without progress not even upper halves change.
  if (size === 64) finish();
  else b.if(b.nez(pointer(b, RCX)), finish);
}

/** The count for a routine; one that it refuses where a pointer would come to the end of 32 bits. */
function countFor(b: Semantics, width: number, ...addresses: Value[]): Value {
  const count = pointer(b, RCX);
  if (b.shape.mode === 64) return count;
  const bytes = b.shl(count, b.i64(Math.log2(width / 8)));
  let wraps = b.i32(0);
  for (const address of addresses)
    wraps = b.or(wraps, b.gtU(b.add(address, bytes), b.i64(0xffff_ffffn)));
  return b.select(wraps, b.i64(-1n), count);
}

const movs = defineString('movs', 0xa4, 'repMovs', stepMovs, (b, width, slow) => {
  const from = dataAddress(b, pointer(b, RSI));
  const to = extraAddress(b, pointer(b, RDI));
  const args = [to, from, countFor(b, width, to, from), b.i32(Math.log2(width / 8))];
  quickly(b, 'stringMove', args, slow, () => finishRepeat(b, width, RSI, RDI));
});

const cmps = defineString('cmps', 0xa6, 'repCmps', (b, width) => {
  const left = b.load(dataAddress(b, pointer(b, RSI)), width, true);
  const right = b.load(extraAddress(b, pointer(b, RDI)), width, true);
  const step = stride(b, width);
  advance(b, RSI, step);
  advance(b, RDI, step);
  b.flagsSub(left, right, b.signExtend(b.sub(left, right), width));
});

const stepStos = (b: Semantics, width: MemoryWidth): void => {
  b.store(extraAddress(b, pointer(b, RDI)), width, b.readGpr(RAX, width));
  advance(b, RDI, stride(b, width));
};

const stos = defineString('stos', 0xaa, 'repStos', stepStos, (b, width, slow) => {
  const to = extraAddress(b, pointer(b, RDI));
  const shift = b.i32(Math.log2(width / 8));
  const args = [to, b.readGpr(RAX, width), countFor(b, width, to), shift];
  quickly(b, 'stringFill', args, slow, () => finishRepeat(b, width, RDI));
});

const lods = defineString('lods', 0xac, 'repLods', (b, width) => {
  const value = b.load(dataAddress(b, pointer(b, RSI)), width);
  b.writeGpr(RAX, width, value);
  advance(b, RSI, stride(b, width));
});

const scas = defineString('scas', 0xae, 'repScas', (b, width) => {
  const left = b.readGpr(RAX, width);
  const right = b.load(extraAddress(b, pointer(b, RDI)), width, true);
  advance(b, RDI, stride(b, width));
  b.flagsSub(left, right, b.signExtend(b.sub(left, right), width));
});

export const stringInstructions: readonly Instruction[] = [
  ...movs,
  ...cmps,
  ...stos,
  ...lods,
  ...scas,
];
