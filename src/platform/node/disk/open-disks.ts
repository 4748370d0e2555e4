/** Opens the disks of a machine, on its thread. */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ImageHost, openImage, temporaryOverlay } from '../../../block/mod.ts';
import type { BlockBackend } from '../../../bus/mod.ts';
import type { DiskSource } from '../../machine-thread/messages.ts';
import { nodeCodecs } from './codecs.ts';
import { type DiskFullHandler, type NodeFile, NodeFiles } from './node-file.ts';

/** Opens all of them, or none. */
export function openDisks(sources: readonly DiskSource[], full?: DiskFullHandler): BlockBackend[] {
  const files = new NodeFiles(full);
  const host: ImageHost = { files, codecs: nodeCodecs };
  const opened: BlockBackend[] = [];
  try {
    for (const source of sources) opened.push(openDisk(host, files, source));
    return opened;
  } catch (error) {
    for (const backend of opened) backend.close();
    throw error;
  }
}

function openDisk(host: ImageHost, files: NodeFiles, source: DiskSource): BlockBackend {
  const { path, format, snapshot } = source;
  const readOnly = source.readOnly || snapshot;
  const image = openImage(host, path, { format, readOnly });
  if (!snapshot || source.readOnly) return image;
  try {
    return temporaryOverlay(image, temporaryFile(files), host.codecs);
  } catch (error) {
    image.close();
    throw error;
  }
}

/** A file without a name: it is gone with the process, however that ends. */
function temporaryFile(files: NodeFiles): NodeFile {
  const path = join(tmpdir(), `vivarium-${process.pid}-${crypto.randomUUID()}.overlay`);
  const file = files.create(path);
  rmSync(path);
  return file;
}
