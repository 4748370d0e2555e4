import type { Value } from '../../ir/mod.ts';
import { define, form, type Instruction } from '../form.ts';

/** MOV of general registers, memory and immediates. SDM Vol. 2B "MOV". */
export const mov = define(
  'mov',
  [
    form('88 /r', 'Eb Gb'),
    form('89 /r', 'Ev Gv'),
    form('8A /r', 'Gb Eb'),
    form('8B /r', 'Gv Ev'),
    form('A0', 'AL Ob'),
    form('A1', 'rAX Ov'),
    form('A2', 'Ob AL'),
    form('A3', 'Ov rAX'),
    form('B0+r ib', 'Zb Ib'),
    form('B8+r iv', 'Zv Iv'),
    form('C6 /0 ib', 'Eb Ib'),
    form('C7 /0 iz', 'Ev Iz'),
  ],
  (_b, [destination, source]) => {
    destination.write(source.read());
  },
);

/** MOVNTI: a store with a non-temporal hint, which has no effect here. SDM Vol. 2B "MOVNTI". */
export const movnti = define(
  'movnti',
  [form('NP 0F C3 /r', 'My Gy')],
  (_b, [destination, source]) => {
    destination.write(source.read());
  },
);

/** MOVBE: a load or store with the bytes reversed. SDM Vol. 2B "MOVBE". */
export const movbe = define(
  'movbe',
  [
    form('0F 38 F0 /r', 'Gv Mv', 'norep', 'cpuid:movbe'),
    form('0F 38 F1 /r', 'Mv Gv', 'norep', 'cpuid:movbe'),
  ],
  (b, [destination, source]) => {
    destination.write(reverseBytes(b, source.read(), destination.width));
  },
);

/** BSWAP: bytes of a 32- or 64-bit register reversed. With 16 bits, undefined, the result is 0. */
export const bswap = define('bswap', [form('0F C8+r', 'Zv')], (b, [destination]) => {
  if (destination.width === 16) destination.write(b.i64(0));
  else destination.write(reverseBytes(b, destination.read(), destination.width));
});

/** The low `width` (16, 32, 64) bits of `value` with their bytes in reverse order. */
function reverseBytes(
  b: Parameters<Instruction['semantics']>[0],
  value: Value,
  width: number,
): Value {
  if (width === 32) {
    const low = b.wrap(value);
    const turned = (count: number, mask: number): Value =>
      b.pure('i32.and', b.pure('i32.rotl', low, b.i32(count)), b.i32(mask));
    return b.pure('i64.extend_i32_s', b.pure('i32.or', turned(8, 0xff00ff), turned(24, ~0xff00ff)));
  }
  let swapped = value;
  const steps: [bits: number, mask: bigint][] = [
    [8, 0x00ff00ff00ff00ffn],
    [16, 0x0000ffff0000ffffn],
  ];
  for (const [bits, mask] of steps) {
    const high = b.and(b.shrU(swapped, b.i64(bits)), b.i64(mask));
    const low = b.shl(b.and(swapped, b.i64(mask)), b.i64(bits));
    swapped = b.or(high, low);
  }
  swapped = b.pure('i64.rotl', swapped, b.i64(32));
  return width === 64 ? swapped : b.shrU(swapped, b.i64(64 - width));
}

export const movInstructions: readonly Instruction[] = [mov, movnti, movbe, bswap];
