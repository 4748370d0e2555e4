/** The PCI cards of the board: which there are, where they are plugged, and their registers' places. */
import type { BlockBackend, Clock } from '../bus/mod.ts';
import { assignPciResources, type PciHost } from '../devices/mod.ts';
import { NvmeController } from '../devices/nvme/mod.ts';
import {
  VirtioBalloon,
  VirtioBlk,
  VirtioConsole,
  type VirtioDevice,
  VirtioFs,
  VirtioNet,
  VirtioPci,
  VirtioRng,
  VirtioVsock,
} from '../devices/virtio/mod.ts';
import type { GuestMemory } from '../memory/mod.ts';
import { VivariumError } from '../util/mod.ts';
import type { BoardConfig, BoardHost, DiskConfig } from './config.ts';
import { PCI_IO_WINDOW, PCI_MEMORY_WINDOW, PCI_SLOT } from './layout.ts';

const DISK_SLOTS = PCI_SLOT.isa - PCI_SLOT.firstDisk;
const MAX_NET_QUEUE_PAIRS = 8;

export interface PciDevicesOptions {
  readonly config: BoardConfig;
  readonly host: BoardHost;
  readonly pci: PciHost;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly sendMsi: (address: number, data: number) => void;
}

/** The cards, as far as the board needs to know them. */
export interface PciDevices {
  /** Offers console input to the virtio console; undefined while the guest does not have it open. */
  consoleInput(bytes: Uint8Array): number | undefined;
  /** Takes in what has arrived for the cards from outside. True when there was something. */
  poll(): boolean;
  /** counters by the device's name */
  stats(): Record<string, unknown>;
}

/** Plugs the cards that the configuration asks for, and does what firmware does for them. */
export function plugPciDevices(options: PciDevicesOptions): PciDevices {
  const { config, host, pci } = options;
  const disks = config.disks ?? [];
  const folders = config.folders ?? [];
  if (disks.length + folders.length > DISK_SLOTS) {
    const message = `a machine has room for ${DISK_SLOTS} disks and shared folders together`;
    throw new VivariumError('too-many-disks', message);
  }
  const counters: Record<string, () => unknown> = {};
  for (const [index, disk] of disks.entries()) {
    if (disk.bus === 'ide') continue;
    const backend = host.disks?.[index];
    if (backend === undefined) throw new Error(`disk ${index} has no backend`);
    const plugged = plugDisk(options, disk, backend, index);
    counters[plugged.name] = () => ({ ...plugged.counters });
  }
  const { network } = host;
  let card: VirtioNet | undefined;
  if (config.network !== undefined && network !== undefined) {
    // Whoever used the link before this board is gone.
    network.restart();
    const device = new VirtioNet({
      name: 'virtio-net-0',
      link: network,
      mac: config.network.mac,
      queuePairs: Math.min(config.cpus, MAX_NET_QUEUE_PAIRS),
      clock: options.clock,
    });
    const { memory, sendMsi } = options;
    pci.plug(PCI_SLOT.net, 0, new VirtioPci({ device, memory, sendMsi }).function);
    counters[device.name] = () => ({ ...device.counters });
    card = device;
  }
  const plugVirtio = (slot: number, device: VirtioDevice) => {
    const { memory, sendMsi } = options;
    pci.plug(slot, 0, new VirtioPci({ device, memory, sendMsi }).function);
  };
  const shares = folders.map(({ tag }, index) => {
    const server = host.folders?.[index];
    if (server === undefined) throw new Error(`folder ${index} has no files`);
    // Whoever used it before this board is gone.
    server.reset();
    const device = new VirtioFs({ name: `virtio-fs-${index}`, tag, server });
    plugVirtio(PCI_SLOT.lastFolder - index, device);
    counters[device.name] = () => ({ ...device.counters });
    return device;
  });
  let vsock: VirtioVsock | undefined;
  if (config.vsock !== undefined && host.vsock !== undefined) {
    // Whoever used the link before this board is gone.
    host.vsock.restart();
    const { cid } = config.vsock;
    vsock = new VirtioVsock({ name: 'virtio-vsock-0', link: host.vsock, cid });
    plugVirtio(PCI_SLOT.vsock, vsock);
    counters[vsock.name] = () => ({ ...vsock?.counters });
  }
  const { fillRandom } = host;
  if (config.rng === true && fillRandom !== undefined) {
    plugVirtio(PCI_SLOT.rng, new VirtioRng({ name: 'virtio-rng-0', fillRandom }));
  }
  if (config.balloon === true) {
    const balloon = new VirtioBalloon({ name: 'virtio-balloon-0', memory: options.memory });
    plugVirtio(PCI_SLOT.balloon, balloon);
    counters[balloon.name] = () => ({ ...balloon.counters });
  }
  let virtioConsole: VirtioConsole | undefined;
  if (config.virtioConsole === true) {
    const ports = [{ output: (bytes: Uint8Array) => host.consoleOutput(bytes) }];
    virtioConsole = new VirtioConsole({ name: 'virtio-console-0', ports });
    plugVirtio(PCI_SLOT.console, virtioConsole);
  }
  assignPciResources(pci.functions, {
    io: PCI_IO_WINDOW,
    memory: { start: PCI_MEMORY_WINDOW.start, end: PCI_MEMORY_WINDOW.end + 1 },
  });
  return {
    consoleInput: (bytes) => (virtioConsole?.isOpen() ? virtioConsole.receive(bytes) : undefined),
    poll() {
      let hasNews = card?.poll() ?? false;
      hasNews = vsock?.poll() || hasNews;
      for (const share of shares) hasNews = share.poll() || hasNews;
      return hasNews;
    },
    stats: () =>
      Object.fromEntries(Object.entries(counters).map(([name, count]) => [name, count()])),
  };
}

function plugDisk(
  options: PciDevicesOptions,
  disk: DiskConfig,
  backend: BlockBackend,
  index: number,
): { readonly name: string; readonly counters: object } {
  const { pci, memory, sendMsi } = options;
  const serial = disk.serial ?? `viv-disk-${index}`;
  const slot = PCI_SLOT.firstDisk + index;
  switch (disk.bus) {
    case 'virtio': {
      const device = new VirtioBlk({ name: `virtio-blk-${index}`, backend, serial });
      pci.plug(slot, 0, new VirtioPci({ device, memory, sendMsi }).function);
      return device;
    }
    case 'nvme': {
      const device = new NvmeController({
        name: `nvme-${index}`,
        backend,
        memory,
        sendMsi,
        serial,
      });
      pci.plug(slot, 0, device.function);
      return device;
    }
    default:
      throw new VivariumError('not-yet', `disks on the bus ${disk.bus} are not there yet`);
  }
}
