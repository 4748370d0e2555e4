import type { AddressKind, CodeMode, Decoder, Shape } from '../x86/mod.ts';

const SIZES = [16, 32, 64] as const;
const MEMORY: readonly (AddressKind | undefined)[] = [
  undefined,
  'bd64',
  'bis64',
  'seg64',
  'seg32',
  'seg16',
  'offset',
];
const REPEATS = ['none', 'rep', 'repne'] as const;
const VECTORS = [undefined, 128, 256] as const;

const memoryIndex = new Map(MEMORY.map((kind, index) => [kind, index]));

/** Number of bits of a shape key. */
export const SHAPE_KEY_BITS = 16;
/** Bit of the key: segments are checked. */
const CHECKED = 1 << 15;

function sizeIndex(size: 16 | 32 | 64): number {
  return size === 64 ? 2 : size === 32 ? 1 : 0;
}

/** A number that stands for the shape of the instruction just decoded. */
export function shapeKeyOf(decoder: Decoder, mode: CodeMode): number {
  return (
    sizeIndex(mode.bits) |
    (sizeIndex(mode.stackSize) << 2) |
    (sizeIndex(decoder.operandSize) << 4) |
    (sizeIndex(decoder.addressSize) << 6) |
    ((memoryIndex.get(decoder.memory) as number) << 8) |
    ((decoder.repeat === 'none' ? 0 : decoder.repeat === 'rep' ? 1 : 2) << 11) |
    ((decoder.vectorLength === undefined ? 0 : decoder.vectorLength === 128 ? 1 : 2) << 13) |
    (decoder.checked ? CHECKED : 0)
  );
}

/** The shape that `key` stands for. */
export function shapeOf(key: number): Shape {
  return {
    mode: SIZES[key & 3] as 16 | 32 | 64,
    stackSize: SIZES[(key >> 2) & 3] as 16 | 32 | 64,
    operandSize: SIZES[(key >> 4) & 3] as 16 | 32 | 64,
    addressSize: SIZES[(key >> 6) & 3] as 16 | 32 | 64,
    memory: MEMORY[(key >> 8) & 7],
    repeat: REPEATS[(key >> 11) & 3] as Shape['repeat'],
    lock: false,
    vectorLength: VECTORS[(key >> 13) & 3],
    checked: (key & CHECKED) !== 0,
  };
}

/** The key of a shape. */
export function shapeKey(shape: Shape): number {
  return (
    sizeIndex(shape.mode) |
    (sizeIndex(shape.stackSize) << 2) |
    (sizeIndex(shape.operandSize) << 4) |
    (sizeIndex(shape.addressSize) << 6) |
    ((memoryIndex.get(shape.memory) as number) << 8) |
    (REPEATS.indexOf(shape.repeat) << 11) |
    (VECTORS.indexOf(shape.vectorLength) << 13) |
    (shape.checked === true ? CHECKED : 0)
  );
}
