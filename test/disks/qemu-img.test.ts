/**
 * Images beside QEMU's own tools: what `qemu-img` makes is read and written here, and what is written
 * here passes `qemu-img check` and reads the same there. Needs the Debian package qemu-utils.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  checkImage,
  convertImage,
  createQcow2,
  type ImageFormat,
  openImage,
  repairImage,
  resizeImage,
} from '../../src/block/mod.ts';
import type { BlockBackend } from '../../src/bus/mod.ts';
import { NodeFiles, nodeCodecs } from '../../src/platform/node/disk/mod.ts';
import { DiskModel } from './disk-model.ts';
import { generator } from './random.ts';

const isThere = spawnSync('qemu-img', ['--version']).status === 0;
const skip = isThere ? false : 'qemu-img is not installed (Debian: qemu-utils)';
const seed = Number(process.env['VIVARIUM_SEED'] ?? 20261122);
const directory = mkdtempSync(join(tmpdir(), 'vivarium-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const files = new NodeFiles();
const host = { files, codecs: nodeCodecs };
const MIB = 2 ** 20;
let count = 0;
const fresh = () => join(directory, `image-${count++}`);
const qemuImg = (...words: string[]) => execFileSync('qemu-img', words, { encoding: 'utf8' });
const open = (path: string, readOnly = false, format?: ImageFormat): BlockBackend =>
  openImage(host, path, { readOnly, format });

/** Passes when QEMU finds no fault in the image; leaks count as faults. */
function check(path: string): void {
  const { status, stdout, stderr } = spawnSync('qemu-img', ['check', path], { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

/** Passes when QEMU reads from the image what the model holds. */
function expectSameThere(path: string, model: DiskModel): void {
  const raw = fresh();
  writeFileSync(raw, model.bytes);
  const { status, stdout, stderr } = spawnSync('qemu-img', ['compare', '-F', 'raw', path, raw], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

/** A file of random runs, some of them zeroes. */
function contents(bytes: number, start: number): Uint8Array {
  const random = generator(start);
  const result = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 4096) {
    if (random(3) === 0) continue;
    const letter = random(256);
    for (let byte = 0; byte < 4096; byte++) result[at + byte] = (letter + (byte % 7)) & 0xff;
  }
  return result;
}

function rawFile(bytes: Uint8Array): string {
  const path = fresh();
  writeFileSync(path, bytes);
  return path;
}

/** Random use of an image, closed and opened again in between; then QEMU's opinion of it. */
function exercise(path: string, model: DiskModel): void {
  const random = generator(seed);
  for (let round = 0; round < 3; round++) {
    const disk = open(path);
    for (let step = 0; step < 60; step++) model.step(disk, random);
    model.expectSame(disk, 0, model.bytes.length);
    disk.close();
    check(path);
    expectSameThere(path, model);
  }
}

describe(`images beside qemu-img (seed ${seed})`, { skip }, () => {
  const BYTES = 6 * MIB;
  const kinds: Record<string, string[]> = {
    'with nothing said': [],
    'of version 2': ['-o', 'compat=0.10'],
    'with clusters of 512 bytes': ['-o', 'cluster_size=512'],
    'with clusters of 2 MiB': ['-o', 'cluster_size=2M'],
    'with counts of one bit': ['-o', 'refcount_bits=1,cluster_size=4k'],
    'with counts of 8 bits': ['-o', 'refcount_bits=8'],
    'with counts of 64 bits': ['-o', 'refcount_bits=64,cluster_size=1k'],
    'with space set aside': ['-o', 'preallocation=metadata'],
  };
  for (const [name, options] of Object.entries(kinds)) {
    test(`a qcow2 image ${name} is written so that QEMU finds no fault`, () => {
      const path = fresh();
      qemuImg('create', '-q', '-f', 'qcow2', ...options, path, String(BYTES));
      exercise(path, new DiskModel(BYTES));
    });
    if (name === 'with space set aside') continue; // QEMU makes none on another image
    test(`an image on another, ${name}`, () => {
      const behind = contents(BYTES - MIB, 3);
      const path = fresh();
      const backing = ['-b', rawFile(behind), '-F', 'raw'];
      qemuImg(
        'create',
        '-q',
        '-f',
        'qcow2',
        ...options.map((o) => o),
        ...backing,
        path,
        String(BYTES),
      );
      exercise(path, new DiskModel(BYTES, behind));
    });
  }

  for (const compression of ['zlib', 'zstd']) {
    for (const cluster of ['4k', '64k']) {
      test(`compressed clusters of ${cluster} (${compression}) are read, and replaced`, () => {
        const bytes = contents(BYTES, 5);
        const path = fresh();
        const options = `compression_type=${compression},cluster_size=${cluster}`;
        qemuImg(
          'convert',
          '-q',
          '-c',
          '-O',
          'qcow2',
          '-o',
          options,
          '-f',
          'raw',
          rawFile(bytes),
          path,
        );
        const model = new DiskModel(BYTES, bytes);
        const disk = open(path, true);
        model.expectSame(disk, 0, BYTES);
        disk.close();
        exercise(path, model);
      });
    }
  }

  test('writing leaves the snapshots of an image as they were', () => {
    const bytes = contents(BYTES, 9);
    const path = fresh();
    qemuImg('convert', '-q', '-O', 'qcow2', '-f', 'raw', rawFile(bytes), path);
    qemuImg('snapshot', '-c', 'before', path);
    const model = new DiskModel(BYTES, bytes);
    exercise(path, model);
    const restored = fresh();
    qemuImg('convert', '-q', '-l', 'before', '-O', 'raw', path, restored);
    expectSameThere(restored, new DiskModel(BYTES, bytes));
  });

  test('a snapshot is read as the disk was, by its name and by its number', () => {
    const behind = contents(BYTES, 31);
    for (const options of [[], ['-b', rawFile(behind), '-F', 'raw']]) {
      const path = fresh();
      qemuImg('create', '-q', '-f', 'qcow2', ...options, path, String(BYTES));
      const model = new DiskModel(BYTES, options.length > 0 ? behind : undefined);
      exercise(path, model);
      qemuImg('snapshot', '-c', 'one', path);
      const first = new DiskModel(BYTES, model.bytes.slice());
      exercise(path, model);
      qemuImg('snapshot', '-c', '1', path); // its number is 2
      const second = new DiskModel(BYTES, model.bytes.slice());
      exercise(path, model);
      qemuImg('resize', '-q', path, String(2 * BYTES));
      for (const [name, then] of [
        ['one', first],
        ['1', second],
        ['2', second],
      ] as const) {
        const disk = openImage(host, path, { readOnly: true, snapshot: name });
        assert.deepEqual([disk.bytes, disk.isReadOnly], [BYTES, true]);
        then.expectSame(disk, 0, BYTES);
        disk.close();
      }
      check(path);
    }
    const plain = rawFile(behind);
    const other = fresh();
    qemuImg('create', '-q', '-f', 'qcow2', other, '1M');
    for (const path of [plain, other]) {
      const format = path === plain ? 'raw' : 'qcow2';
      const refused = { code: 'disk-snapshots', message: /has no snapshot "none"; viv disk info/ };
      assert.throws(
        () => openImage(host, path, { readOnly: true, snapshot: 'none', format }),
        refused,
      );
    }
  });

  test('images made here are sound, whatever their clusters, and tables of counts grow', () => {
    for (const clusterBits of [9, 10, 12, 16, 21]) {
      const path = fresh();
      const file = files.create(path);
      createQcow2(file, { bytes: 24 * MIB, clusterBits });
      file.close();
      check(path);
      const model = new DiskModel(24 * MIB);
      const disk = open(path);
      const bytes = contents(20 * MIB, clusterBits);
      disk.write(MIB, bytes);
      model.bytes.set(bytes, MIB);
      disk.close();
      check(path);
      expectSameThere(path, model);
    }
  });

  test('a chain of images is read through', () => {
    const bytes = contents(BYTES, 11);
    const bottom = rawFile(bytes);
    const model = new DiskModel(BYTES, bytes);
    let path = bottom;
    for (const format of ['raw', 'qcow2', 'qcow2']) {
      const front = fresh();
      qemuImg('create', '-q', '-f', 'qcow2', '-b', path, '-F', format, front);
      path = front;
      const disk = open(path);
      for (let step = 0; step < 20; step++) model.step(disk, generator(seed + step));
      model.expectSame(disk, 0, BYTES);
      disk.close();
      check(path);
    }
    expectSameThere(path, model);
  });

  test('a compressed copy is sound and the same', () => {
    for (const clusterBits of [12, 16]) {
      const bytes = contents(BYTES, 13);
      const path = fresh();
      const source = open(rawFile(bytes), true);
      const options = { format: 'qcow2', codecs: nodeCodecs, clusterBits, compress: true } as const;
      convertImage(source, files.create(path), options);
      source.close();
      check(path);
      assert.ok(statSync(path).size < BYTES / 8);
      expectSameThere(path, new DiskModel(BYTES, bytes));
      exercise(path, new DiskModel(BYTES, bytes));
    }
  });

  test('a disk that grows shows zeroes, and one that shrinks loses its end', () => {
    const behind = contents(BYTES, 15);
    const base = rawFile(behind);
    for (const options of [[], ['-b', base, '-F', 'raw'], ['-o', 'cluster_size=512']]) {
      const path = fresh();
      qemuImg('create', '-q', '-f', 'qcow2', ...options, path, String(2 * MIB));
      const model = new DiskModel(2 * MIB, options[0] === '-b' ? behind : undefined);
      exercise(path, model);
      resizeImage(host, path, 10 * MIB, { mayShrink: false });
      check(path);
      const grown = new DiskModel(10 * MIB, model.bytes);
      expectSameThere(path, grown);
      exercise(path, grown);
      const shrink = () => resizeImage(host, path, MIB, { mayShrink: false });
      assert.throws(shrink, { code: 'disk-shrink' });
      resizeImage(host, path, MIB, { mayShrink: true });
      resizeImage(host, path, 2 * MIB, { mayShrink: false });
      check(path);
      expectSameThere(path, new DiskModel(2 * MIB, grown.bytes.subarray(0, MIB)));
    }
  });

  test('wrong reference counts are found and repaired', () => {
    const path = fresh();
    qemuImg('convert', '-q', '-O', 'qcow2', '-f', 'raw', rawFile(contents(BYTES, 17)), path);
    const model = new DiskModel(BYTES, contents(BYTES, 17));
    const file = files.open(path, { readOnly: false });
    assert.equal(checkImage(file, nodeCodecs).faultCount, 0);
    // The block of counts is the third cluster of a fresh image.
    const at = 2 * 65_536 + 2 * 20;
    file.write(at, Uint8Array.of(0, 0, 0, 3, 0, 0));
    const report = checkImage(file, nodeCodecs);
    assert.ok(report.faultCount >= 2);
    assert.ok(report.leaks >= 1);
    assert.notEqual(spawnSync('qemu-img', ['check', path]).status, 0);
    const repaired = repairImage(file, nodeCodecs);
    assert.deepEqual([repaired.faultCount, repaired.leaks], [0, 0]);
    file.close();
    check(path);
    expectSameThere(path, model);
  });

  test('clusters of bitmaps are no leaks, and bitmaps are out of date once the disk is written', () => {
    const path = fresh();
    qemuImg('create', '-q', '-f', 'qcow2', path, String(BYTES));
    qemuImg('bitmap', '--add', path, 'since');
    const file = files.open(path, { readOnly: true });
    assert.deepEqual(
      { ...checkImage(file, nodeCodecs), faults: 0 },
      { faults: 0, faultCount: 0, leaks: 0, allocated: 0, compressed: 0 },
    );
    file.close();
    const disk = open(path);
    disk.write(0, new Uint8Array(512).fill(1));
    disk.close();
    assert.equal(spawnSync('qemu-img', ['check', path]).status, 3, 'its bitmap is a leak now');
  });
});
