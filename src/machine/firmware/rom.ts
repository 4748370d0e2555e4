/** Where the firmware's read-only memory lies: below 4 GiB, where the processor starts, and below 1 MiB. */
import type { GuestMemory, RamRange } from '../../memory/mod.ts';
import { VivariumError } from '../../util/mod.ts';

const FOUR_GIB = 0x1_0000_0000;
const ONE_MIB = 0x10_0000;
/** The part of an image that a processor in real mode reaches. */
const LOW_BYTES = 0x2_0000;
const PAGE_BYTES = 4096;
const MAX_BYTES = 16 * 2 ** 20;

/** Checks a firmware image; throws `firmware-image`. */
export function checkFirmwareImage(image: Uint8Array): void {
  const { length } = image;
  if (length < 0x1_0000 || length > MAX_BYTES || length % PAGE_BYTES !== 0) {
    throw new VivariumError(
      'firmware-image',
      `a firmware image has 64 KiB to 16 MiB in pages of 4 KiB, but this one has ${length} bytes`,
    );
  }
}

/**
 * The memory that holds the image, which ends at 4 GiB. It is held as RAM; that the guest could write it
 * is left out.
 */
export function romRange(image: Uint8Array): RamRange {
  return { start: FOUR_GIB - image.length, bytes: image.length };
}

/** Puts the image to both places. The lower one is RAM from the start, as after a chipset's shadowing. */
export function placeRom(memory: GuestMemory, image: Uint8Array): void {
  memory.write(FOUR_GIB - image.length, image);
  const low = image.subarray(Math.max(0, image.length - LOW_BYTES));
  memory.write(ONE_MIB - low.length, low);
}
