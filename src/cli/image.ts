import { existsSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import {
  type DiskOptions,
  findDiskSystem,
  hasBootSector,
  isDiscImage,
  VivariumError,
  why,
} from '../client/mod.ts';
import { parseDisk } from './disk-option.ts';
import type { RunOptions } from './run-options.ts';
import { terminalEnvironment } from './terminal.ts';

/** Bytes of an image that tell its kind: the setup header of a bzImage ends within them. */
const HEAD_BYTES = 1024;
const ELF_MAGIC = '\x7fELF';
const BZIMAGE_MAGIC = 'HdrS';
const BZIMAGE_MAGIC_OFFSET = 0x202;

/** How `viv run` is called with an IMAGE. */
export interface ImageRun {
  readonly given: RunOptions;
  /** whether the network was named, or is the default */
  readonly hasNet: boolean;
}

/** Looks into the IMAGE of `viv run IMAGE`; returns options that boot it. */
export async function optionsOfImage(
  image: string,
  { given, hasNet }: ImageRun,
): Promise<RunOptions> {
  const disk = existsSync(image) ? { path: image } : parseDisk(image);
  const head = await readHead(disk.path);
  const isKernel =
    head.startsWith(ELF_MAGIC) || head.startsWith(BZIMAGE_MAGIC, BZIMAGE_MAGIC_OFFSET);
  if (isKernel) return { ...given, kernel: disk.path };
  if (await isDiscImage(disk.path)) return { ...given, cdrom: disk.path, image: disk.path };
  const system = findDiskSystem(disk);
  if (system === undefined) return { ...withFirmware(disk, given), image: disk.path };
  return {
    ...given,
    kernel: system.kernel,
    initrd: given.initrd ?? system.initrd,
    cmdline: given.cmdline ?? `${system.cmdline} ${terminalEnvironment()}`.trim(),
    disk: [{ bus: 'nvme', ...disk }, ...given.disk],
    net: hasNet ? given.net : 'user',
    image: disk.path,
  };
}

/** A disk of which we know nothing but that it may start: on the bus that every system has a driver for. */
function withFirmware(disk: DiskOptions, given: RunOptions): RunOptions {
  if (given.firmware === undefined && !hasBootSector(disk)) {
    throw new VivariumError(
      'image-not-bootable',
      `${disk.path} is neither a kernel nor a CD, and no boot loader is on it; to give it to another ` +
        'system, use --disk',
    );
  }
  return {
    ...given,
    firmware: given.firmware ?? 'seabios',
    disk: [{ bus: 'ide', ...disk }, ...given.disk],
  };
}

async function readHead(path: string): Promise<string> {
  try {
    if ((await stat(path)).isFIFO()) throw new Error('it is not a regular file');
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return Buffer.from(buffer.subarray(0, bytesRead)).toString('latin1');
  } catch (error) {
    const message = `cannot read the image ${path}: ${why(error)}`;
    throw new VivariumError('image-unreadable', message, { cause: error });
  }
}
