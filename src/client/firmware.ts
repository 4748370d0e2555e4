import type { FirmwareConfig } from '../machine/config.ts';
import { fetchGuestPackage } from '../platform/node/mod.ts';
import { readImage } from './images.ts';
import type { CheckedOptions } from './options.ts';

/** The Debian package of SeaBIOS, and its files: the firmware, and the option ROM of the graphics card. */
const SEABIOS = {
  package: 'seabios',
  image: 'usr/share/seabios/bios-256k.bin',
  videoRom: 'usr/share/seabios/vgabios-stdvga.bin',
} as const;

/** The Debian package of OVMF, which is UEFI firmware for virtual machines, and its files. */
const OVMF = {
  package: 'ovmf',
  image: 'usr/share/OVMF/OVMF_CODE_4M.fd',
  variables: 'usr/share/OVMF/OVMF_VARS_4M.fd',
} as const;

/**
 * The firmware that checked options ask for, SeaBIOS if they name none. An image of the user's own gets
 * no option ROM for the graphics card.
 */
export async function loadFirmware(options: CheckedOptions): Promise<FirmwareConfig> {
  const { firmware = 'seabios', mirror, progress } = options;
  const source = { mirror, progress };
  if (firmware === 'ovmf') {
    const variables = await fetchGuestPackage(OVMF.package, OVMF.variables, source);
    return {
      image: await fetchGuestPackage(OVMF.package, OVMF.image, source),
      // Each machine has variables of its own, and forgets them.
      variables: variables.slice(),
    };
  }
  if (firmware !== 'seabios') return { image: await readImage(firmware, 'firmware') };
  return {
    image: await fetchGuestPackage(SEABIOS.package, SEABIOS.image, source),
    videoRom: await fetchGuestPackage(SEABIOS.package, SEABIOS.videoRom, source),
  };
}
