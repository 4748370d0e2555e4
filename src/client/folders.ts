/** Shared folders of a machine: what the user says, checked. */
import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { z } from 'zod';
import type { FolderSource } from '../platform/mod.ts';
import { reasonOf } from '../platform/node/disk/mod.ts';
import { VivariumError } from '../util/mod.ts';

/** A folder or file of the host that the guest sees. */
export interface FolderOptions {
  /** a directory or a regular file */
  readonly host: string;
  /** absolute path in the guest, where its start-up mounts it; see `mountParameter` */
  readonly guest: string;
  readonly readOnly?: boolean | undefined;
  /** whose the files of this process's user are in the guest; 0 */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

const form = 'must be HOST:GUEST or HOST:GUEST:ro, with an absolute GUEST path';
const id = z.int({ error: 'must be a number' }).min(0).max(0xffff_fffe).default(0);
const full = z.strictObject({
  host: z.string({ error: 'must be a path' }).min(1, { error: form }),
  guest: z
    .string({ error: 'must be a path' })
    .regex(/^\/[^\0]*$/, { error: 'must be an absolute path' })
    .refine(
      (path) => path.split('/').some((part) => part !== '') && !path.split('/').includes('..'),
      {
        error: 'must be a path below / without ..',
      },
    ),
  readOnly: z.boolean({ error: 'must be true or false' }).default(false),
  uid: id,
  gid: id,
});
export type CheckedFolder = z.infer<typeof full>;

/** `HOST:GUEST[:OPTION,...]`, or a description. */
export const foldersSchema = z
  .array(z.preprocess((value) => (typeof value === 'string' ? parseFolder(value) : value), full))
  .default([]);

/** Takes `HOST:GUEST[:ro|rw,uid=N,gid=N]` apart; what it cannot is left for the schema to refuse. */
export function parseFolder(text: string): unknown {
  const [, host, guest, options = ''] = /^(.+?):(\/[^:]*)(?::([\w=,]*))?$/s.exec(text) ?? [];
  if (host === undefined || guest === undefined) return { host: '' };
  const folder: Record<string, unknown> = { host, guest };
  for (const option of options.split(',').filter((each) => each !== '')) {
    const [, name, value] = /^(uid|gid)=(\d+)$/.exec(option) ?? [];
    if (name !== undefined) folder[name] = Number(value);
    else if (option === 'ro' || option === 'rw') folder['readOnly'] = option === 'ro';
    else folder[option] = true; // the schema says that there is no such option
  }
  return folder;
}

/** The tag by which the guest mounts a folder: `viv0` is the first. */
export function folderTag(index: number): string {
  return `viv${index}`;
}

/** What stands behind the folders; throws a `VivariumError` for one that is not there. */
export function folderSources(folders: readonly CheckedFolder[]): FolderSource[] {
  return folders.map(({ host, readOnly, uid, gid }) => ({
    path: resolve(host),
    isFile: isFile(host),
    readOnly,
    owner: { uid, gid },
  }));
}

function isFile(path: string): boolean {
  if (process.platform !== 'linux') {
    throw new VivariumError('folder-unusable', 'sharing folders needs a Linux host');
  }
  let reason: string;
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) return false;
    if (stats.isFile()) return true;
    reason = 'it is neither a directory nor a regular file';
  } catch (error) {
    reason = reasonOf(error);
  }
  throw new VivariumError('folder-unusable', `cannot share ${path}: ${reason}`);
}

/**
 * Kernel parameter that tells the guest's start-up to mount a folder:
 * `vivarium.mount=TAG:PATH[:OPTION,...]`, with the options `ro` and `file=NAME`: of the folder with this tag the one file
 * NAME goes to PATH. Characters that would mean something are written as %XX.
 */
export function mountParameter(folder: CheckedFolder, index: number): string {
  const options = [
    folder.readOnly ? 'ro' : undefined,
    isFile(folder.host) ? `file=${percentEncode(basename(resolve(folder.host)))}` : undefined,
  ].filter((option) => option !== undefined);
  const words = [
    folderTag(index),
    percentEncode(folder.guest),
    ...(options.length > 0 ? [options.join(',')] : []),
  ];
  return `vivarium.mount=${words.join(':')}`;
}

function percentEncode(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      if (/[\w/.+@-]/.test(character)) return character;
      return `%${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}
