/** Opens the shared folders of a machine, on its thread. */
import { basename, dirname } from 'node:path';
import type { FileServer } from '../../../bus/mod.ts';
import { FolderServer, singleFile } from '../../../share/mod.ts';
import { VivariumError } from '../../../util/mod.ts';
import type { FolderSource } from '../../machine-thread/messages.ts';
import { reasonOf } from '../disk/reason.ts';
import { MetadataFile, metadataPath } from './metadata-file.ts';
import { NodeFolder } from './node-folder.ts';
import { Syncer } from './syncer.ts';

export interface OpenFoldersOptions {
  /** the machine's `ControlBlock`, which is woken when a file has become durable */
  readonly control?: SharedArrayBuffer;
  /** something that the user should know */
  readonly notice: (text: string) => void;
}

/** Opens all of them; throws a `VivariumError` for the first that cannot be. */
export function openFolders(
  sources: readonly FolderSource[],
  { control, notice }: OpenFoldersOptions,
): FileServer[] {
  return sources.map((source, index) => {
    const { path, isFile, readOnly, owner } = source;
    const folder = openFolder(isFile ? dirname(path) : path, {
      readOnly,
      syncer: new Syncer(control),
      folders: sources.length,
    });
    const { dev, ino, birthtimeNs } = folder.stat(folder.root);
    const metadata = new MetadataFile(metadataPath(`${dev}:${ino}:${birthtimeNs}`), (error) =>
      notice(
        `owners and special permissions that the guest sets in ${path} are forgotten when it ends: ${reasonOf(error)}`,
      ),
    );
    const host = isFile
      ? singleFile(folder, Buffer.from(basename(path)).toString('latin1'))
      : folder;
    return new FolderServer(`folder-${index}`, { host, metadata, owner });
  });
}

function openFolder(
  path: string,
  options: { readonly readOnly: boolean; readonly syncer: Syncer; readonly folders: number },
): NodeFolder {
  try {
    return new NodeFolder({ path, ...options });
  } catch (error) {
    throw new VivariumError('folder-unusable', `cannot share ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
