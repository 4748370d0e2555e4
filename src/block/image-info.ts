import { type ImageFormat, PROBE_BYTES, requireFormat } from './format.ts';
import type { ImageHost } from './open-image.ts';
import {
  INCOMPATIBLE_CORRUPT,
  INCOMPATIBLE_DIRTY,
  type Qcow2Header,
  readHeader,
} from './qcow2/header.ts';
import { type Qcow2Snapshot, readSnapshots } from './qcow2/snapshots.ts';
import type { RandomAccessFile } from './random-access-file.ts';

/** What there is to know of an image without reading the disk in it. */
export interface ImageInfo {
  readonly path: string;
  readonly format: ImageFormat;
  /** capacity of the disk */
  readonly virtualBytes: number;
  /** length of the file, and what it takes on the host's disk */
  readonly fileBytes: number;
  readonly allocatedBytes: number | undefined;
  readonly qcow2: Qcow2Info | undefined;
}

export interface Qcow2Info {
  readonly version: 2 | 3;
  readonly clusterBytes: number;
  readonly compression: 'deflate' | 'zstd';
  readonly backing: { readonly name: string; readonly format: ImageFormat | undefined } | undefined;
  readonly snapshots: readonly Qcow2Snapshot[];
  /** was not closed properly, or is marked as damaged */
  readonly isDirty: boolean;
  readonly isCorrupt: boolean;
}

/** Reads the header of the image at `path`. Throws as `openImage` does. */
export function imageInfo(host: ImageHost, path: string, format?: ImageFormat): ImageInfo {
  const file = host.files.open(path, { readOnly: true });
  try {
    const head = new Uint8Array(PROBE_BYTES);
    file.read(0, head);
    const found = format ?? requireFormat(head, path);
    const header = found === 'qcow2' ? readHeader(file) : undefined;
    return {
      path,
      format: found,
      virtualBytes: header?.bytes ?? Math.ceil(file.size() / 512) * 512,
      fileBytes: file.size(),
      allocatedBytes: file.allocatedBytes(),
      qcow2: header && qcow2Info(file, header),
    };
  } finally {
    file.close();
  }
}

function qcow2Info(file: RandomAccessFile, header: Qcow2Header): Qcow2Info {
  return {
    version: header.version,
    clusterBytes: 2 ** header.clusterBits,
    compression: header.compression,
    backing: header.backing,
    snapshots: readSnapshots(file, header).snapshots,
    isDirty: (header.incompatible & INCOMPATIBLE_DIRTY) !== 0n,
    isCorrupt: (header.incompatible & INCOMPATIBLE_CORRUPT) !== 0n,
  };
}
