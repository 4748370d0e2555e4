import { unpackKernel } from '../machine/boot/mod.ts';
import type { BoardConfig } from '../machine/config.ts';
import { defaultGuest } from '../platform/node/mod.ts';
import { hasBootSector } from './boot-media.ts';
import { cdromConfig, diskConfig } from './disks.ts';
import { loadFirmware } from './firmware.ts';
import { folderTag, mountParameter } from './folders.ts';
import { type OwnBytes, readImage } from './images.ts';
import type { CheckedNetwork } from './network.ts';
import type { CheckedOptions } from './options.ts';

/** The guest's context id; each guest has a host of its own, so all may have the same. */
export const GUEST_CID = 3;

/** What a machine boots. */
interface GuestImages {
  readonly kernel: OwnBytes;
  readonly initrd?: OwnBytes;
  readonly cmdline: string;
}

/** Brings the images of checked options into memory: a description that needs no more I/O. */
export async function buildConfig(
  options: CheckedOptions,
  network: CheckedNetwork | undefined,
): Promise<BoardConfig> {
  // A guest with disks has the drivers at hand; without, they would only make it slower to start.
  const hasDisks = options.disks.length > 0;
  const shared = {
    memoryBytes: options.memory,
    cpus: options.cpus,
    engine: options.engine,
    ...(options.trace === undefined ? {} : { trace: options.trace }),
    ...(options.eager ? { eager: true } : {}),
    ...(options.cpu === undefined ? {} : { cpu: options.cpu }),
    debugExit: options.debugExit,
    rng: options.rng ?? hasDisks,
    balloon: options.balloon ?? hasDisks,
    virtioConsole: options.consoleDevice === 'virtio',
    disks: [
      ...options.disks.map(diskConfig),
      ...(options.cdrom === undefined ? [] : [cdromConfig]),
    ],
    folders: options.folders.map((_folder, index) => ({ tag: folderTag(index) })),
    ...(options.vsock === undefined ? {} : { vsock: { cid: GUEST_CID } }),
    ...(network === undefined ? {} : { network: { mac: network.mac } }),
  };
  if (options.firmware !== undefined || startsFromMedia(options)) {
    const firmware = await loadFirmware(options);
    return { ...shared, firmware, cmdline: '' };
  }
  const guest = await loadGuest(options);
  // Our own guest uses the console that the machine was given.
  const isOurs = options.kernel === undefined && options.cmdline === undefined;
  const onVirtio = isOurs && options.consoleDevice === 'virtio' ? 'console=hvc0' : undefined;
  const mounts = options.folders.map(mountParameter);
  const cmdline = [options.cmdline ?? guest.cmdline, onVirtio, ...mounts, options.appendCmdline]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
  return {
    ...shared,
    kernel: guest.kernel,
    ...(guest.initrd === undefined ? {} : { initrd: guest.initrd }),
    cmdline,
  };
}

/** True when there is no kernel, but a disc, or a disk with something to start. */
function startsFromMedia({ kernel, initrd, cmdline, cdrom, disks }: CheckedOptions): boolean {
  if (kernel !== undefined) return false;
  if (cdrom !== undefined) return true;
  const [first] = disks;
  // Whoever names a RAM disk or a command line means the default guest's kernel.
  return (initrd ?? cmdline) === undefined && first !== undefined && hasBootSector(first);
}

async function loadGuest(options: CheckedOptions): Promise<GuestImages> {
  const initrd =
    options.initrd === undefined ? undefined : await readImage(options.initrd, 'initial RAM disk');
  if (options.kernel !== undefined) {
    const kernel = await unpacked(await readImage(options.kernel, 'kernel'));
    return { kernel, cmdline: '', ...(initrd === undefined ? {} : { initrd }) };
  }
  const { mirror, progress } = options;
  const guest = await defaultGuest({ mirror, progress });
  return initrd === undefined ? guest : { ...guest, initrd };
}

/** The kernel that a compressed image holds: this host unpacks it faster than the guest would. */
async function unpacked(image: OwnBytes): Promise<OwnBytes> {
  const kernel = await unpackKernel(image);
  const { buffer, byteLength } = kernel;
  const isAlone = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength;
  return isAlone ? new Uint8Array(buffer) : new Uint8Array(kernel);
}
