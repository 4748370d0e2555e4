/** Finds what a disk without a boot loader boots: the kernel that its file system links to. */
import { KERNEL_CMDLINE_PATH } from './debian-image.ts';
import { Ext4, isExt4, type Readable } from './ext4.ts';

/** A Linux system on a disk. */
export interface DiskLinux {
  readonly kernel: Uint8Array<ArrayBuffer>;
  readonly initrd?: Uint8Array<ArrayBuffer>;
  /** what the system wants on its kernel's command line, without the root device */
  readonly cmdline: string;
  /** for example `/boot/vmlinuz-6.1.0-44-cloud-amd64` */
  readonly kernelPath: string;
}

const DEFAULT_CMDLINE = 'console=ttyS0';
/** Where distributions link the newest kernel and its initial RAM disk. */
const PLACES: readonly (readonly [kernel: string, initrd: string])[] = [
  ['/vmlinuz', '/initrd.img'],
  ['/boot/vmlinuz', '/boot/initrd.img'],
];

/**
 * The system on a disk whose only content is an ext4 file system; undefined if the disk is not like
 * that or holds no kernel. Throws `filesystem-unreadable` for a file system that is damaged.
 *
 * @param bus what the disk will be plugged into: a kernel that has the driver needs no initial RAM disk
 */
export function findDiskLinux(
  disk: Readable,
  bus: 'virtio' | 'nvme' | 'ide',
): DiskLinux | undefined {
  if (!isExt4(disk)) return undefined;
  const files = new Ext4(disk);
  for (const [kernelPlace, initrdPlace] of PLACES) {
    const kernelPath = files.resolve(kernelPlace);
    const kernel = kernelPath === undefined ? undefined : files.readFile(kernelPath);
    if (kernelPath === undefined || kernel === undefined) continue;
    const initrd = canMount(files, kernelPath, bus) ? undefined : files.readFile(initrdPlace);
    const cmdline = new TextDecoder().decode(files.readFile(KERNEL_CMDLINE_PATH)).trim();
    return {
      kernel,
      kernelPath,
      cmdline: cmdline === '' ? DEFAULT_CMDLINE : cmdline,
      ...(initrd === undefined ? {} : { initrd }),
    };
  }
  return undefined;
}

/** The setting with which a kernel has the driver of a disk built in. */
const DRIVER = {
  virtio: 'CONFIG_VIRTIO_BLK=y',
  nvme: 'CONFIG_BLK_DEV_NVME=y',
  ide: 'CONFIG_ATA_PIIX=y',
} as const;

/** True if a kernel mounts its root file system without the help of modules. */
function canMount(files: Ext4, kernelPath: string, bus: keyof typeof DRIVER): boolean {
  const config = files.readFile(kernelPath.replace('/vmlinuz-', '/config-'));
  const lines = new TextDecoder().decode(config).split('\n');
  return lines.includes(DRIVER[bus]) && lines.includes('CONFIG_EXT4_FS=y');
}
