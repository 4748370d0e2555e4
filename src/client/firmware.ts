import type { FirmwareConfig } from '../machine/config.ts';
import { fetchGuestPackage, type GuestSourceOptions } from '../platform/node/mod.ts';
import { VivariumError } from '../util/mod.ts';
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
  /** The first of these that the package has. The small build is for 64 bits throughout, and quicker. */
  builds: [
    { image: 'usr/share/OVMF/OVMF_CODE.fd', variables: 'usr/share/OVMF/OVMF_VARS.fd' },
    { image: 'usr/share/OVMF/OVMF_CODE_4M.fd', variables: 'usr/share/OVMF/OVMF_VARS_4M.fd' },
  ],
} as const;

/**
 * The firmware that checked options ask for, SeaBIOS if they name none. An image of the user's own gets
 * no option ROM for the graphics card.
 */
export async function loadFirmware(options: CheckedOptions): Promise<FirmwareConfig> {
  const { firmware = 'seabios', mirror, progress } = options;
  const source = { mirror, progress };
  if (firmware === 'ovmf') {
    const [build, larger] = OVMF.builds;
    return await loadOvmf(build, source).catch((error: unknown) => {
      if (!(error instanceof VivariumError) || error.code !== 'package-file-missing') throw error;
      return loadOvmf(larger, source);
    });
  }
  if (firmware !== 'seabios') return { image: await readImage(firmware, 'firmware') };
  return {
    image: await fetchGuestPackage(SEABIOS.package, SEABIOS.image, source),
    videoRom: await fetchGuestPackage(SEABIOS.package, SEABIOS.videoRom, source),
  };
}

async function loadOvmf(
  build: { readonly image: string; readonly variables: string },
  source: GuestSourceOptions,
): Promise<FirmwareConfig> {
  const variables = await fetchGuestPackage(OVMF.package, build.variables, source);
  return {
    image: await fetchGuestPackage(OVMF.package, build.image, source),
    // Each machine has variables of its own, and forgets them.
    variables: variables.slice(),
  };
}
