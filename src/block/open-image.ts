/** Opens disk images of any format, with the images that they stand on. */
import type { BlockBackend } from '../bus/mod.ts';
import { VivariumError } from '../util/mod.ts';
import { type ImageFormat, PROBE_BYTES, requireFormat } from './format.ts';
import type { ImageCodecs } from './qcow2/codecs.ts';
import { corrupt, INCOMPATIBLE_CORRUPT, INCOMPATIBLE_DIRTY, readHeader } from './qcow2/header.ts';
import { Qcow2Image } from './qcow2/image.ts';
import { noSnapshot } from './qcow2/snapshots.ts';
import type { FileOpener, RandomAccessFile } from './random-access-file.ts';
import { ProbedRawImage, RawImage } from './raw/raw-image.ts';

const MAX_CHAIN = 64;

/** What images need of the host. */
export interface ImageHost {
  readonly files: FileOpener;
  readonly codecs: ImageCodecs;
}

export interface OpenImageOptions {
  readonly readOnly: boolean;
  /** found out from the image's first bytes when it is not given */
  readonly format?: ImageFormat | undefined;
  /** an internal snapshot, by name or id, which is for reading alone */
  readonly snapshot?: string | undefined;
}

/** One image of a chain, the front one first. */
export interface ChainLink {
  readonly path: string;
  readonly format: ImageFormat;
}

/**
 * Opens the image at `path` and, for reading, those behind it.
 * Throws a `VivariumError` in one sentence for what is no image, damaged, or not there.
 */
export function openImage(host: ImageHost, path: string, options: OpenImageOptions): BlockBackend {
  return openLink(host, path, options, []);
}

/** The image at `path` and those behind it, by their headers alone. */
export function imageChain(host: ImageHost, path: string, format?: ImageFormat): ChainLink[] {
  const chain: ChainLink[] = [];
  let next: { path: string; format: ImageFormat | undefined } | undefined = { path, format };
  while (next !== undefined) {
    expectNew(chain, next.path);
    const file = openFile(host, next.path, { readOnly: true }, chain);
    try {
      const found: ImageFormat = next.format ?? probe(file);
      chain.push({ path: next.path, format: found });
      next = found === 'raw' ? undefined : behind(host, next.path, file);
    } finally {
      file.close();
    }
  }
  return chain;
}

function openLink(
  host: ImageHost,
  path: string,
  options: OpenImageOptions,
  before: readonly ChainLink[],
): BlockBackend {
  expectNew(before, path);
  const file = openFile(host, path, options, before);
  let backing: BlockBackend | undefined;
  try {
    const format = options.format ?? probe(file);
    if (format === 'raw') {
      if (options.snapshot !== undefined) throw noSnapshot(path, options.snapshot);
      return options.format === undefined ? new ProbedRawImage(file) : new RawImage(file);
    }
    if (!options.readOnly) refuseDamaged(file);
    const next = behind(host, path, file);
    if (next !== undefined) {
      const readOnly = { readOnly: true, format: next.format };
      backing = openLink(host, next.path, readOnly, [...before, { path, format }]);
    }
    const { snapshot } = options;
    return new Qcow2Image({ file, codecs: host.codecs, backing, snapshot });
  } catch (error) {
    backing?.close();
    file.close();
    throw error;
  }
}

function probe(file: RandomAccessFile): ImageFormat {
  const head = new Uint8Array(PROBE_BYTES);
  file.read(0, head);
  return requireFormat(head, file.name);
}

/** The image that a qcow2 image stands on, if any. */
function behind(
  host: ImageHost,
  path: string,
  file: RandomAccessFile,
): { path: string; format: ImageFormat | undefined } | undefined {
  const { backing } = readHeader(file);
  if (backing === undefined) return undefined;
  const name = backing.name.replace(/^file:/, '');
  // Names of other storage look like `nbd://host`, or are JSON.
  if (/^[\w+.-]{2,}:/.test(name) || name.includes('\0')) {
    throw new VivariumError(
      'disk-format',
      `${path} stands on ${JSON.stringify(name)}, which is no file; Vivarium reads files alone`,
    );
  }
  return { path: host.files.resolve(path, name), format: backing.format };
}

/** Opens a file; one that is not there is named together with the image that stands on it. */
function openFile(
  host: ImageHost,
  path: string,
  options: OpenImageOptions,
  before: readonly ChainLink[],
): RandomAccessFile {
  try {
    return host.files.open(path, options);
  } catch (error) {
    const front = before.at(-1)?.path;
    if (front === undefined || !(error instanceof VivariumError)) throw error;
    const message = `${front} stands on another image: ${error.message}`;
    throw new VivariumError('disk-backing', message, { cause: error });
  }
}

function expectNew(chain: readonly ChainLink[], path: string): void {
  if (chain.length >= MAX_CHAIN || chain.some((link) => link.path === path)) {
    const front = chain[0]?.path ?? path;
    throw corrupt(front, 'the images that it stands on form a circle, or are too many');
  }
}

function refuseDamaged(file: RandomAccessFile): void {
  const { incompatible } = readHeader(file);
  if ((incompatible & (INCOMPATIBLE_CORRUPT | INCOMPATIBLE_DIRTY)) === 0n) return;
  throw new VivariumError(
    'disk-corrupt',
    `the disk image ${file.name} was not closed properly or is damaged; repair it with: viv disk check --repair`,
  );
}
