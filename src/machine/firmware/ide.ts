/** The IDE controller of the board and the disks and discs that are plugged into it. */
import type { Bus, InterruptLine } from '../../bus/mod.ts';
import {
  AtaDisk,
  AtapiCdrom,
  IDE_COMMAND_PORTS,
  IDE_PORTS,
  IdeController,
  type IdeDrive,
} from '../../devices/ide/mod.ts';
import type { PciHost } from '../../devices/mod.ts';
import type { GuestMemory } from '../../memory/mod.ts';
import { VivariumError } from '../../util/mod.ts';
import type { BoardConfig, BoardHost } from '../config.ts';
import { PCI_SLOT } from '../layout.ts';

export interface IdeOptions {
  readonly config: BoardConfig;
  readonly host: BoardHost;
  readonly ports: Bus;
  readonly pci: PciHost;
  readonly memory: GuestMemory;
  readonly line: (irq: number) => InterruptLine;
}

/** Disks fill the drives from the front; discs from the second channel on, where systems expect them. */
const DISK_PLACES = [0, 1, 2, 3];
const DISC_PLACES = [2, 3, 1, 0];

/** Plugs the controller if any drive wants it. */
export function plugIde(options: IdeOptions): IdeController | undefined {
  const drives: (IdeDrive | undefined)[] = [undefined, undefined, undefined, undefined];
  const disks = options.config.disks ?? [];
  // Discs first: a disk takes what they leave.
  for (const media of ['cdrom', 'disk'] as const) {
    for (const [index, disk] of disks.entries()) {
      if (disk.bus !== 'ide' || (disk.media ?? 'disk') !== media) continue;
      const backend = options.host.disks?.[index];
      if (backend === undefined) throw new Error(`disk ${index} has no backend`);
      const places = media === 'cdrom' ? DISC_PLACES : DISK_PLACES;
      const place = places.find((each) => drives[each] === undefined);
      if (place === undefined) {
        throw new VivariumError('too-many-disks', 'the IDE controller has room for 4 drives');
      }
      const name = `ide-${place}`;
      drives[place] =
        media === 'cdrom'
          ? new AtapiCdrom({ name, backend })
          : new AtaDisk({ name, backend, serial: disk.serial ?? `viv-disk-${index}` });
    }
  }
  if (drives.every((drive) => drive === undefined)) return undefined;
  const { memory, line, ports, pci } = options;
  const controller = new IdeController({
    memory,
    lines: [line(IDE_PORTS[0].irq), line(IDE_PORTS[1].irq)],
    drives,
  });
  for (const [index, place] of IDE_PORTS.entries()) {
    const channel = controller.channels[index];
    if (channel === undefined) continue;
    ports.map(place.command, IDE_COMMAND_PORTS, channel.commandBlock);
    ports.map(place.control, 1, channel.controlBlock);
  }
  pci.plug(PCI_SLOT.ide, 0, controller.function);
  return controller;
}
