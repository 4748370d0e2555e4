/**
 * What firmware does for PCI before an operating system runs: gives every base address register a place and
 * lets the functions decode.
 */
import { VivariumError } from '../../util/mod.ts';
import {
  PCI_COMMAND,
  PCI_COMMAND_IO,
  PCI_COMMAND_MEMORY,
  type PciBar,
  type PciFunction,
} from './function.ts';

/** A range of addresses, `end` exclusive. */
export interface PciAperture {
  readonly start: number;
  readonly end: number;
}

export interface PciApertures {
  readonly io: PciAperture;
  readonly memory: PciAperture;
  /** For 64-bit prefetchable windows; the others go below 4 GiB. */
  readonly memory64?: PciAperture;
}

/**
 * Assigns all base address registers of `functions`, largest first so that none wastes room.
 * Throws a `VivariumError` with code `pci-resources` when an aperture is too small.
 */
export function assignPciResources(
  functions: readonly PciFunction[],
  apertures: PciApertures,
): void {
  const next = new Map<PciAperture, number>();
  const wanted = functions.flatMap((target) =>
    target.bars.flatMap((bar, index) => (bar === undefined ? [] : [{ target, index, bar }])),
  );
  wanted.sort((left, right) => right.bar.bytes - left.bar.bytes);
  for (const { target, index, bar } of wanted) {
    const aperture = apertureOf(bar, apertures);
    const free = next.get(aperture) ?? aperture.start;
    const address = Math.ceil(free / bar.bytes) * bar.bytes;
    if (address + bar.bytes > aperture.end) {
      throw new VivariumError('pci-resources', `No room for the registers of ${target.name}.`);
    }
    next.set(aperture, address + bar.bytes);
    target.setBarAddress(index, address);
  }
  for (const target of functions) {
    if (!target.bars.some((bar) => bar !== undefined)) continue;
    const command = target.config.get(PCI_COMMAND, 2);
    target.writeConfig(PCI_COMMAND, 2, command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
  }
}

function apertureOf(bar: PciBar, apertures: PciApertures): PciAperture {
  if (bar.kind === 'io') return apertures.io;
  const high = bar.kind === 'memory64' && bar.prefetchable === true;
  return high && apertures.memory64 !== undefined ? apertures.memory64 : apertures.memory;
}
