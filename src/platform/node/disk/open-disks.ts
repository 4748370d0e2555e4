import { openImage } from '../../../block/mod.ts';
import type { BlockBackend } from '../../../bus/mod.ts';
import type { DiskSource } from '../../machine-thread/messages.ts';
import { NodeFiles, type OnDiskFull } from './node-file.ts';

/** Opens the disks of a machine: all of them, or none. */
export function openDisks(sources: readonly DiskSource[], onFull?: OnDiskFull): BlockBackend[] {
  const files = new NodeFiles(onFull);
  const opened: BlockBackend[] = [];
  try {
    for (const { path, format, readOnly } of sources) {
      opened.push(openImage({ files }, path, { format, readOnly }));
    }
    return opened;
  } catch (error) {
    for (const backend of opened) backend.close();
    throw error;
  }
}
