import type { Encoding } from '../encoding.ts';
import type { AddressKind, Shape } from '../shape.ts';

type Size = 16 | 32 | 64;

const MEMORY_LETTERS = new Set(['E', 'W', 'Q', 'M']);

/** Every shape under which the decoder can meet `encoding`. */
export function* shapesOf(encoding: Encoding): Generator<Shape> {
  for (const mode of [64, 32, 16] as const) {
    if (encoding.attributes.has(mode === 64 ? 'no64' : 'only64')) continue;
    for (const operandSize of operandSizes(encoding, mode)) {
      for (const [addressSize, memory] of addressings(encoding, mode)) {
        for (const repeat of repeats(encoding)) {
          for (const lock of locks(encoding, memory)) {
            for (const vectorLength of vectorLengths(encoding)) {
              const stackSize = mode;
              const sizes = { mode, stackSize, operandSize, addressSize };
              const shape = { ...sizes, memory, repeat, lock, vectorLength };
              yield shape;
              if (mode !== 64) yield { ...shape, checked: true };
            }
          }
        }
      }
    }
  }
}

function operandSizes(encoding: Encoding, mode: Size): readonly Size[] {
  const { attributes, prefix, w } = encoding;
  if (mode !== 64) {
    if (w === 1 && encoding.vex === undefined) return [];
    return prefix >= 0 ? [mode] : [16, 32];
  }
  if (attributes.has('f64')) return [64];
  let sizes: Size[] = attributes.has('d64') ? [16, 64] : [16, 32, 64];
  if (prefix >= 0) sizes = sizes.filter((size) => size !== 16);
  if (w === 1) sizes = [64];
  if (w === 0) sizes = sizes.filter((size) => size !== 64);
  return sizes;
}

function addressings(encoding: Encoding, mode: Size): [Size, AddressKind | undefined][] {
  const sizes: Size[] = mode === 64 ? [64, 32] : [32, 16];
  if (encoding.immediate === 'offset') return sizes.map((size) => [size, 'offset']);
  const letters = encoding.operands.map(({ letter }) => letter);
  const found: [Size, AddressKind | undefined][] = [];
  if (encoding.mod !== 'memory') for (const size of sizes) found.push([size, undefined]);
  const ignoresMod = letters.includes('C') || letters.includes('D');
  const memory = letters.some((letter) => MEMORY_LETTERS.has(letter));
  if (encoding.mod !== 'register' && memory && !ignoresMod) {
    if (mode === 64) found.push([64, 'bd64'], [64, 'bis64'], [64, 'seg64'], [32, 'seg32']);
    else found.push([32, 'seg32'], [16, 'seg16']);
  }
  return found;
}

function repeats(encoding: Encoding): readonly Shape['repeat'][] {
  return encoding.attributes.has('rep') ? ['none', 'rep', 'repne'] : ['none'];
}

function locks(encoding: Encoding, memory: AddressKind | undefined): readonly boolean[] {
  return encoding.attributes.has('lock') && memory !== undefined ? [false, true] : [false];
}

function vectorLengths(encoding: Encoding): readonly Shape['vectorLength'][] {
  if (encoding.vex === undefined) return [undefined];
  if (encoding.vex.l < 0) return [128, 256];
  return [encoding.vex.l === 1 ? 256 : 128];
}
