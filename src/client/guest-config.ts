import { unpackKernel } from '../machine/boot/mod.ts';
import type { BoardConfig } from '../machine/config.ts';
import { defaultGuest } from '../platform/node/mod.ts';
import { cdromConfig, diskConfig } from './disks.ts';
import { loadFirmware } from './firmware.ts';
import { folderTag, mountParameter } from './folders.ts';
import { type OwnBytes, readImage } from './images.ts';
import type { CheckedNetwork } from './network.ts';
import type { CheckedOptions } from './options.ts';

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
    ...(network === undefined ? {} : { network: { mac: network.mac } }),
  };
  const startsFromDisc = options.cdrom !== undefined && options.kernel === undefined;
  if (options.firmware !== undefined || startsFromDisc) {
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
