/** Where the firmware's read-only memory lies: below 4 GiB, where the processor starts, and below 1 MiB. */
import type { GuestMemory } from '../../memory/mod.ts';
import { VivariumError } from '../../util/mod.ts';

const FOUR_GIB = 0x1_0000_0000;
const ONE_MIB = 0x10_0000;
/** The part of an image that a processor in real mode reaches. */
const LOW_BYTES = 0x2_0000;
const PAGE_BYTES = 4096;
const MIN_MEMORY_BYTES = 4 * 2 ** 20;
/** OVMF does not get far with less. */
const UEFI_MIN_MEMORY_BYTES = 96 * 2 ** 20;
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

/** Checks that firmware has room to work; throws `memory-too-small`. */
export function checkFirmwareMemory(bytes: number, isUefi: boolean): void {
  const least = isUefi ? UEFI_MIN_MEMORY_BYTES : MIN_MEMORY_BYTES;
  if (bytes < least) {
    throw new VivariumError(
      'memory-too-small',
      `a machine that starts from firmware needs at least ${least / 2 ** 20} MiB of memory`,
    );
  }
}

/**
 * Puts the image to both places. The lower one is RAM from the start, as after a chipset's shadowing.
 * UEFI firmware has no use for it.
 */
export function placeRom(memory: GuestMemory, image: Uint8Array, isUefi: boolean): void {
  const rom = memory.addDeviceMemory(image.length, { readOnly: true });
  rom.bytes.set(image);
  rom.moveTo(FOUR_GIB - image.length);
  if (isUefi) return;
  const low = image.subarray(Math.max(0, image.length - LOW_BYTES));
  memory.write(ONE_MIB - low.length, low);
}
