import type { FirmwareConfig } from '../machine/config.ts';
import { fetchGuestPackage } from '../platform/node/mod.ts';
import { VivariumError } from '../util/mod.ts';
import { readImage } from './images.ts';
import type { CheckedOptions } from './options.ts';

/** The Debian package of SeaBIOS, and its files: the firmware, and the option ROM of the graphics card. */
const SEABIOS = {
  package: 'seabios',
  image: 'usr/share/seabios/bios-256k.bin',
  videoRom: 'usr/share/seabios/vgabios-stdvga.bin',
} as const;

/**
 * The firmware that checked options ask for, SeaBIOS if they name none. An image of the user's own gets
 * no option ROM for the graphics card.
 */
export async function loadFirmware(options: CheckedOptions): Promise<FirmwareConfig> {
  const { firmware = 'seabios', mirror, progress } = options;
  if (firmware === 'ovmf') {
    throw new VivariumError('not-yet', '--firmware: UEFI firmware (ovmf) is not there yet');
  }
  if (firmware !== 'seabios') return { image: await readImage(firmware, 'firmware') };
  const source = { mirror, progress };
  return {
    image: await fetchGuestPackage(SEABIOS.package, SEABIOS.image, source),
    videoRom: await fetchGuestPackage(SEABIOS.package, SEABIOS.videoRom, source),
  };
}
