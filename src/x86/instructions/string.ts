import type { MemoryWidth, Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';
import type { Semantics } from '../semantics.ts';
import { RAX, RDI, RSI, STATE } from '../state.ts';
import { dataAddress, extraAddress } from './addressing.ts';

/**
 * String instructions. One step is written here; with a repeat prefix a helper works in page-sized
 * pieces (helpers/string.ts). SDM Vol. 1, 7.3.9 and Vol. 2 "MOVS", "CMPS", "STOS", "LODS", "SCAS", "REP".
 */
function defineString(
  name: string,
  opcode: number,
  helper: string,
  step: (b: Semantics, width: MemoryWidth) => void,
): Instruction[] {
  const make = (suffix: string, at: number, byte: boolean) =>
    define(`${name}${suffix}`, [form(at.toString(16).toUpperCase(), '', 'rep')], (b) => {
      const width = byte ? 8 : b.shape.operandSize;
      if (b.shape.repeat === 'none') step(b, width);
      else repeat(b, helper, width);
    });
  return [make('b', opcode, true), make('', opcode + 1, false)];
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

const movs = defineString('movs', 0xa4, 'repMovs', (b, width) => {
  const value = b.load(dataAddress(b, pointer(b, RSI)), width);
  b.store(extraAddress(b, pointer(b, RDI)), width, value);
  const step = stride(b, width);
  advance(b, RSI, step);
  advance(b, RDI, step);
});

const cmps = defineString('cmps', 0xa6, 'repCmps', (b, width) => {
  const left = b.load(dataAddress(b, pointer(b, RSI)), width, true);
  const right = b.load(extraAddress(b, pointer(b, RDI)), width, true);
  const step = stride(b, width);
  advance(b, RSI, step);
  advance(b, RDI, step);
  b.flagsSub(left, right, b.signExtend(b.sub(left, right), width));
});

const stos = defineString('stos', 0xaa, 'repStos', (b, width) => {
  b.store(extraAddress(b, pointer(b, RDI)), width, b.readGpr(RAX, width));
  advance(b, RDI, stride(b, width));
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
