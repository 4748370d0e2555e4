/** Systems on disk images that have no boot loader: the machine takes their kernel out of the image. */
import { openImage } from '../block/mod.ts';
import { findDiskLinux } from '../guest/mod.ts';
import { NodeFiles, nodeCodecs } from '../platform/node/disk/mod.ts';
import type { DiskOptions } from './disks.ts';

/** What to boot for a disk, as options of a machine whose first disk it is. */
export interface DiskSystem {
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly cmdline: string;
}

/** What Linux calls the first disk on each bus. */
const ROOT_DEVICE = { virtio: '/dev/vda', nvme: '/dev/nvme0n1', ide: '/dev/sda' } as const;

/**
 * The system on a disk, if it is one that `viv image build` makes: a file system without partitions
 * that holds a kernel. Undefined for other disks.
 */
export function findDiskSystem(disk: DiskOptions): DiskSystem | undefined {
  const host = { files: new NodeFiles(), codecs: nodeCodecs };
  const image = openImage(host, disk.path, { readOnly: true, format: disk.format });
  try {
    const bus = disk.bus ?? 'nvme';
    const system = findDiskLinux(image, bus);
    if (system === undefined) return undefined;
    const { kernel, initrd, cmdline } = system;
    const mode = disk.readOnly === true ? 'ro' : 'rw';
    return {
      kernel,
      cmdline: `root=${ROOT_DEVICE[bus]} ${mode} ${cmdline}`,
      ...(initrd === undefined ? {} : { initrd }),
    };
  } finally {
    image.close();
  }
}
