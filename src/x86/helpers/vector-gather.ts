/** VGATHERDPS, VPGATHERDD and kin. SDM Vol. 2C "VPGATHERDD/VPGATHERQD". */
import type { Cpu, Helper } from '../cpu.ts';

/**
 * Loads the elements whose mask is negative. `sizes`: bits of an index, of an element, and how many elements;
 * `widths`: bits of an effective and of a linear address. What is done when an element faults stays
 * done; the masks of the others keep their value until the end, as on AMD's processors.
 */
function gather(
  cpu: Cpu,
  offset: bigint,
  segment: bigint,
  destination: number,
  mask: number,
  index: number,
  scale: number,
  sizes: number,
  widths: number,
): void {
  const { u8, view } = cpu.state;
  const indexBits = sizes & 0xff;
  const bytes = ((sizes >> 8) & 0xff) / 8;
  const count = sizes >> 16;
  const addressBits = widths & 0xff;
  const linearBits = widths >> 8;
  for (let i = 0; i < count; i++) {
    if (((u8[mask + bytes * (i + 1) - 1] as number) & 0x80) !== 0) {
      const at =
        indexBits === 32
          ? BigInt(view.getInt32(index + 4 * i, true))
          : view.getBigInt64(index + 8 * i, true);
      const effective = BigInt.asUintN(addressBits, offset + (at << BigInt(scale)));
      const value = cpu.readLinear(BigInt.asUintN(linearBits, segment + effective), bytes);
      if (bytes === 4) view.setUint32(destination + 4 * i, Number(value), true);
      else view.setBigUint64(destination + 8 * i, value, true);
    }
    u8.fill(0, mask + bytes * i, mask + bytes * (i + 1));
  }
  u8.fill(0, mask, mask + 32);
  u8.fill(0, destination + bytes * count, destination + 32);
}

export const vectorGatherHelpers: Record<string, Helper> = {
  gather: {
    params: ['i64', 'i64', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    run: gather,
  },
};
