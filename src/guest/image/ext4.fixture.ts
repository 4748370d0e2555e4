import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from './ext4.ts';

const environment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };

/** Whether file systems can be made here. */
export const hasMke2fs = spawnSync('mke2fs', ['-V'], { env: environment }).status === 0;

/** An ext4 image of what `fill` puts into a directory. */
export function makeExt4(
  fill: (directory: string) => void,
  options: readonly string[] = [],
): Uint8Array<ArrayBuffer> {
  const place = mkdtempSync(join(tmpdir(), 'vivarium-ext4-'));
  try {
    const image = join(place, 'image');
    const root = mkdtempSync(join(place, 'root-'));
    fill(root);
    writeFileSync(image, '');
    truncateSync(image, 8 << 20);
    const arguments_ = ['-q', '-F', '-t', 'ext4', ...options, '-d', root, image];
    const { status, stderr } = spawnSync('mke2fs', arguments_, { env: environment });
    if (status !== 0) throw new Error(`mke2fs failed: ${stderr}`);
    const bytes = new Uint8Array(8 << 20);
    bytes.set(readFileSync(image));
    return bytes;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

export class MemoryDisk implements Readable {
  readonly contents: Uint8Array;
  reads = 0;

  constructor(contents: Uint8Array) {
    this.contents = contents;
  }

  get bytes(): number {
    return this.contents.length;
  }

  read(offset: number, target: Uint8Array): void {
    this.reads++;
    target.set(this.contents.subarray(offset, offset + target.length));
  }
}
