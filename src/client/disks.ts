/** Disks of a machine: what the user says, checked. */
import { z } from 'zod';
import type { DiskConfig } from '../machine/mod.ts';
import type { DiskSource } from '../platform/mod.ts';

/** One disk. */
export interface DiskOptions {
  /** the image, or a block device of the host */
  readonly path: string;
  /** what the disk is plugged into; `virtio` */
  readonly bus?: 'virtio' | 'nvme' | 'ide' | undefined;
  /** `raw` or `qcow2`; found out from the image */
  readonly format?: 'raw' | 'qcow2' | undefined;
  readonly readOnly?: boolean | undefined;
  /** keeps the image as it is: what the guest writes is forgotten when the machine ends */
  readonly snapshot?: boolean | undefined;
  /** what the guest sees as the disk's identity, up to 20 characters */
  readonly serial?: string | undefined;
}

const flag = z.boolean({ error: 'must be true or false' }).default(false);
const full = z.strictObject({
  path: z.string({ error: 'must be a path' }).min(1, { error: 'a disk needs a file' }),
  bus: z
    .enum(['virtio', 'nvme', 'ide'], { error: 'must be virtio, nvme or ide' })
    .default('virtio'),
  format: z.enum(['raw', 'qcow2'], { error: 'must be raw or qcow2' }).optional(),
  readOnly: flag,
  snapshot: flag,
  serial: z
    .string()
    .regex(/^[\x20-\x7e]{1,20}$/, { error: 'must be 1 to 20 plain characters' })
    .optional(),
});

/** A CD-ROM image. */
export const cdromSchema = z
  .string({ error: 'must be a path' })
  .min(1, { error: 'a disc needs a file' })
  .optional();

/** A path, or a description. */
export const disksSchema = z
  .array(z.preprocess((value) => (typeof value === 'string' ? { path: value } : value), full))
  .default([]);

export type CheckedDisk = z.infer<typeof full>;

/** The disk as the board sees it. */
export function diskConfig({ bus, serial }: CheckedDisk): DiskConfig {
  return { bus, ...(serial === undefined ? {} : { serial }) };
}

function diskSource({ path, format, readOnly, snapshot }: CheckedDisk): DiskSource {
  return { path, format, readOnly, snapshot };
}

/** The disc as the board sees it: a drive on the IDE bus. */
export const cdromConfig: DiskConfig = { bus: 'ide', media: 'cdrom' };

/** Everything with an image, as the machine's thread opens it. */
export function diskSources(options: {
  readonly disks: readonly CheckedDisk[];
  readonly cdrom?: string | undefined;
}): DiskSource[] {
  const { disks, cdrom } = options;
  return [...disks.map(diskSource), ...(cdrom === undefined ? [] : [cdromSource(cdrom)])];
}

function cdromSource(path: string): DiskSource {
  return { path, format: 'raw', readOnly: true, snapshot: false };
}
