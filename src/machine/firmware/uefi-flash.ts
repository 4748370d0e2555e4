/** The flash of UEFI firmware: its code, and below it the variables that it keeps. */
import type { Bus } from '../../bus/mod.ts';
import { NorFlash } from '../../devices/flash/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';

const FOUR_GIB = 0x1_0000_0000;
const BLOCK_BYTES = 4096;

/**
 * Puts a chip with `variables` below the code, which ends at 4 GiB. What the guest changes is changed in
 * `variables` as well, so that a machine that is reset finds it again.
 */
export function plugVariables(options: {
  readonly variables: Uint8Array;
  readonly codeBytes: number;
  readonly memory: GuestMemory;
  readonly mmio: Bus;
}): NorFlash {
  const { variables, codeBytes, mmio } = options;
  const gpa = FOUR_GIB - codeBytes - variables.length;
  const memory = options.memory.addDeviceMemory(variables.length, { readOnly: true });
  memory.bytes.set(variables);
  const flash = new NorFlash({
    name: 'flash-variables',
    memory,
    blockBytes: BLOCK_BYTES,
    onChange: (offset, count) => {
      variables.set(memory.bytes.subarray(offset, offset + count), offset);
    },
  });
  memory.moveTo(gpa);
  mmio.map(gpa, variables.length, flash.registers);
  return flash;
}
