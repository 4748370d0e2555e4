/**
 * Opens damaged qcow2 images, uses them like a guest would, checks, repairs and resizes them.
 *
 * Holds: every failure is a sentence about the image; no endless work; a sound image stays sound.
 */
import assert from 'node:assert/strict';
import {
  checkImage,
  createQcow2,
  type FileOpener,
  MemoryFile,
  openImage,
  Qcow2Image,
  repairImage,
} from '../../../src/block/mod.ts';
import { nodeCodecs } from '../../../src/platform/node/disk/mod.ts';
import { VivariumError } from '../../../src/util/mod.ts';
import { DiskModel } from '../../disks/disk-model.ts';
import { awkward, pick, type Random } from './rounds.ts';

const BYTES = 512 * 1024;

/** One life, which `random` determines. Returns how much was tried. */
export function qcow2Round(random: Random): number {
  const clusterBits = pick(random, [9, 9, 10, 12]);
  const file = new MemoryFile('front');
  createQcow2(file, { bytes: BYTES, clusterBits });
  const image = new Qcow2Image({ file, codecs: nodeCodecs });
  const model = new DiskModel(BYTES);
  for (let step = random(60); step > 0; step--) model.step(image, random);
  image.close();
  const { faultCount, leaks } = checkImage(file, nodeCodecs);
  assert.deepEqual({ faultCount, leaks }, { faultCount: 0, leaks: 0 });

  const snapshot = random(2) === 0 ? addSnapshot(file) : undefined;
  for (let count = 1 + random(6); count > 0; count--) damage(file, 2 ** clusterBits, random);
  const isGone = random(30) === 0;
  if (isGone) file.truncate(random(file.size()));
  const files: FileOpener = { open: () => file, resolve: (_base, name) => name };
  attempt(() =>
    use(openImage({ files, codecs: nodeCodecs }, 'front', { readOnly: false }), random),
  );
  attempt(() => {
    const host = { files, codecs: nodeCodecs };
    const disk = openImage(host, 'front', { readOnly: true, snapshot: snapshot ?? 'none' });
    disk.read(0, new Uint8Array(Math.min(disk.bytes, BYTES)));
    disk.close();
  });
  attempt(() => checkImage(file, nodeCodecs));
  attempt(() => repairImage(file, nodeCodecs));
  attempt(() => {
    const again = openImage({ files, codecs: nodeCodecs }, 'front', { readOnly: false });
    if (again instanceof Qcow2Image) again.resize(512 * random(4096));
    again.close();
  });
  return 1;
}

function use(disk: ReturnType<typeof openImage>, random: Random): void {
  const limit = Math.min(disk.bytes, 2 ** 40);
  for (let step = 0; step < 30; step++) {
    const offset = Math.floor(((random(2 ** 20) / 2 ** 20) * limit) / 512) * 512;
    const bytes = Math.min(limit - offset, 512 * (1 + random(40)));
    attempt(() => {
      switch (random(5)) {
        case 0:
          disk.read(offset, new Uint8Array(bytes));
          break;
        case 1:
          disk.write(offset, new Uint8Array(bytes).fill(step));
          break;
        case 2:
          disk.writeZeroes(offset, bytes);
          break;
        case 3:
          disk.discard(offset, bytes);
          break;
        default:
          disk.flush();
      }
    });
  }
  disk.close();
}

/** Puts a list of snapshots behind the image, with one of the disk as it is. Nobody counts its clusters. */
function addSnapshot(file: MemoryFile): string {
  const header = new DataView(new ArrayBuffer(104));
  file.read(0, new Uint8Array(header.buffer));
  const cluster = 2 ** header.getUint32(20);
  const place = Math.ceil(file.size() / cluster) * cluster;
  const entry = new DataView(new ArrayBuffer(64));
  entry.setBigUint64(0, header.getBigUint64(40));
  entry.setUint32(8, header.getUint32(36));
  entry.setUint16(12, 1);
  entry.setUint16(14, 1);
  entry.setUint32(36, 16);
  entry.setBigUint64(48, header.getBigUint64(24));
  new Uint8Array(entry.buffer).set(new TextEncoder().encode('1s'), 56);
  file.write(place, new Uint8Array(entry.buffer));
  const fields = new DataView(new ArrayBuffer(12));
  fields.setUint32(0, 1);
  fields.setBigUint64(4, BigInt(place));
  file.write(60, new Uint8Array(fields.buffer));
  return 's';
}

/** Changes a few bytes, mostly where the tables are. */
function damage(file: MemoryFile, cluster: number, random: Random): void {
  const place = pick(random, [
    random(112),
    random(112),
    cluster + random(cluster),
    2 * cluster + random(cluster),
    random(8 * cluster),
    file.size() - 1 - random(64),
    random(file.size()),
  ]);
  const bytes = new DataView(new ArrayBuffer(8));
  switch (random(3)) {
    case 0:
      bytes.setUint32(0, awkward(random));
      bytes.setUint32(4, awkward(random));
      file.write(place - (place % 8), new Uint8Array(bytes.buffer));
      break;
    case 1:
      bytes.setUint32(0, awkward(random));
      file.write(place - (place % 4), new Uint8Array(bytes.buffer, 0, 4));
      break;
    default:
      file.write(place, Uint8Array.of(random(256)));
  }
}

function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof VivariumError)) throw error;
  }
}
