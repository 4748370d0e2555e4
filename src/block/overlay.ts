import type { BlockBackend } from '../bus/mod.ts';
import type { ImageCodecs } from './qcow2/codecs.ts';
import { createQcow2 } from './qcow2/create.ts';
import { Qcow2Image } from './qcow2/image.ts';
import type { RandomAccessFile } from './random-access-file.ts';

/**
 * What is written goes to `file`, and `base` stays as it is. The overlay owns both; it is not meant to
 * outlive its machine, so nothing waits for the host's disk.
 */
export function temporaryOverlay(
  base: BlockBackend,
  file: RandomAccessFile,
  codecs: ImageCodecs,
): BlockBackend {
  const volatile = withoutFlush(file);
  createQcow2(volatile, { bytes: base.bytes });
  return new Qcow2Image({ file: volatile, codecs, backing: base });
}

function withoutFlush(file: RandomAccessFile): RandomAccessFile {
  return {
    name: file.name,
    isReadOnly: false,
    size: () => file.size(),
    read: (offset, target) => file.read(offset, target),
    write: (offset, source) => file.write(offset, source),
    truncate: (bytes) => file.truncate(bytes),
    flush() {},
    allocatedBytes: () => file.allocatedBytes(),
    close: () => file.close(),
  };
}
