/** How fields of the state and guest memory are loaded and stored: WebAssembly's opcodes. */
import type { Access } from '../../ir/mod.ts';

export const LOAD: Record<Access, readonly number[]> = {
  i64: [0x29],
  'i64.8s': [0x30],
  'i64.8u': [0x31],
  'i64.16s': [0x32],
  'i64.16u': [0x33],
  'i64.32s': [0x34],
  'i64.32u': [0x35],
  i32: [0x28],
  'i32.8s': [0x2c],
  'i32.8u': [0x2d],
  'i32.16s': [0x2e],
  'i32.16u': [0x2f],
  f32: [0x2a],
  f64: [0x2b],
  v128: [0xfd, 0x00],
};

export const STORE: Record<Access, readonly number[]> = {
  i64: [0x37],
  'i64.8s': [0x3c],
  'i64.8u': [0x3c],
  'i64.16s': [0x3d],
  'i64.16u': [0x3d],
  'i64.32s': [0x3e],
  'i64.32u': [0x3e],
  i32: [0x36],
  'i32.8s': [0x3a],
  'i32.8u': [0x3a],
  'i32.16s': [0x3b],
  'i32.16u': [0x3b],
  f32: [0x38],
  f64: [0x39],
  v128: [0xfd, 0x0b],
};

/** i32 loads (unsigned, signed) and stores of up to 32 bits, by width. */
export const NARROW_LOAD: readonly [
  Record<number, readonly number[]>,
  Record<number, readonly number[]>,
] = [
  { 8: [0x2d], 16: [0x2f], 32: [0x28] },
  { 8: [0x2c], 16: [0x2e], 32: [0x28] },
];
export const NARROW_STORE: Record<number, readonly number[]> = {
  8: [0x3a],
  16: [0x3b],
  32: [0x36],
};

const MEMORY_ACCESS: readonly [Record<number, Access>, Record<number, Access>] = [
  { 8: 'i64.8u', 16: 'i64.16u', 32: 'i64.32u' },
  { 8: 'i64.8s', 16: 'i64.16s', 32: 'i64.32s' },
];

/** The access that moves `width` bits of guest memory. */
export function memoryAccess(width: number, signed: boolean): Access {
  if (width === 128) return 'v128';
  if (width === 64) return 'i64';
  return MEMORY_ACCESS[signed ? 1 : 0][width] as Access;
}
