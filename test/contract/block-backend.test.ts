/**
 * The contract of `BlockBackend`, run on every kind of image: whatever is written can be read back,
 * also after closing and opening again, zeroes are zeroes, and what is behind does not shine through.
 * Random from a printed seed; set VIVARIUM_SEED to repeat a run.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  createQcow2,
  type ImageCodecs,
  MemoryFile,
  Qcow2Image,
  RawImage,
  temporaryOverlay,
} from '../../src/block/mod.ts';
import type { BlockBackend } from '../../src/bus/mod.ts';
import { nodeCodecs } from '../../src/platform/node/disk/codecs.ts';
import { DiskModel } from '../disks/disk-model.ts';
import { generator } from '../disks/random.ts';

const seed = Number(process.env['VIVARIUM_SEED'] ?? 20261122);
const BYTES = 3 * 2 ** 20 + 5 * 512;
const codecs: ImageCodecs = nodeCodecs;

interface Subject {
  open(): BlockBackend;
  /** what the disk holds at first */
  readonly behind?: Uint8Array;
  /** ends with its machine */
  readonly isTemporary?: boolean;
}

function base(): Uint8Array {
  const bytes = new Uint8Array(BYTES - 2 ** 20);
  const random = generator(7);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = random(256);
  return bytes;
}

function qcow2(clusterBits: number, behind?: Uint8Array): Subject {
  const file = new MemoryFile('image');
  const backing = behind === undefined ? undefined : { name: 'base', format: 'raw' as const };
  createQcow2(file, { bytes: BYTES, clusterBits, backing });
  return {
    ...(behind === undefined ? {} : { behind }),
    open: () =>
      new Qcow2Image({
        file: file,
        codecs,
        backing: behind && new RawImage(new MemoryFile('base', behind)),
      }),
  };
}

const subjects: Record<string, () => Subject> = {
  raw() {
    const file = new MemoryFile('raw');
    file.truncate(BYTES);
    return { open: () => new RawImage(file) };
  },
  'qcow2 with clusters of 64 KiB': () => qcow2(16),
  'qcow2 with clusters of 512 bytes, whose tables grow': () => qcow2(9),
  'qcow2 with clusters of 4 KiB': () => qcow2(12),
  'qcow2 on a raw image': () => qcow2(16, base()),
  'qcow2 with small clusters on a raw image': () => qcow2(9, base()),
  'a temporary overlay'() {
    const behind = base();
    const image = () => {
      const file = new MemoryFile('base', behind);
      file.truncate(BYTES);
      return new RawImage(file);
    };
    return {
      behind,
      isTemporary: true,
      open: () => temporaryOverlay(image(), new MemoryFile('overlay'), codecs),
    };
  },
};

for (const [name, make] of Object.entries(subjects)) {
  describe(`block backend: ${name} (seed ${seed})`, () => {
    test('has its size, and reads what is behind it, or zeroes', () => {
      const { open, behind } = make();
      const disk = open();
      assert.equal(disk.bytes, BYTES);
      assert.equal(disk.isReadOnly, false);
      const model = new DiskModel(BYTES, behind);
      model.expectSame(disk, 0, BYTES);
    });

    test('behaves like an array of bytes in random use, and stays so when opened again', () => {
      const { open, behind, isTemporary } = make();
      const model = new DiskModel(BYTES, behind);
      const random = generator(seed);
      let disk = open();
      for (let round = 0; round < 4; round++) {
        for (let step = 0; step < 60; step++) model.step(disk, random);
        model.expectSame(disk, 0, BYTES);
        if (isTemporary) continue;
        disk.close();
        disk = open();
        model.expectSame(disk, 0, BYTES);
      }
    });

    test('what was written and flushed is there when the process is gone', () => {
      const { open, isTemporary } = make();
      if (isTemporary) return;
      const disk = open();
      disk.write(512, new Uint8Array(70_000).fill(7));
      disk.flush();
      disk.write(2 ** 20, new Uint8Array(70_000).fill(9)); // not flushed, never closed
      const other = open();
      const bytes = new Uint8Array(70_000);
      other.read(512, bytes);
      assert.ok(bytes.every((byte) => byte === 7));
    });
  });
}
