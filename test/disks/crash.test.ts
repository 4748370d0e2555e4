/**
 * qcow2 images after a crash. The writes of an image are recorded with the flushes between them; then the
 * file is put together as a crash could leave it: everything up to some flush, and of what came after,
 * all up to some write (the process was killed) or any part (the host lost power). Whatever is left must
 * be free of faults, and hold what the guest had flushed.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  checkImage,
  createQcow2,
  MemoryFile,
  Qcow2Image,
  type RandomAccessFile,
  RawImage,
} from '../../src/block/mod.ts';
import { nodeCodecs as codecs } from '../../src/platform/node/disk/mod.ts';
import { generator } from './random.ts';

const seed = Number(process.env['VIVARIUM_SEED'] ?? 80508864);
const SECTORS = 1024;
const BYTES = SECTORS * 512;

/** What was done to a file. */
type Event = { readonly offset: number; readonly bytes: Uint8Array } | 'flush';

/** A file that remembers what is done to it. */
class RecordedFile extends MemoryFile implements RandomAccessFile {
  readonly events: Event[] = [];

  override write(offset: number, bytes: Uint8Array): void {
    super.write(offset, bytes);
    this.events?.push({ offset, bytes: bytes.slice() });
  }

  override flush(): void {
    this.events.push('flush');
  }
}

/** A mark of the guest: from this event on, these contents are safe. */
interface SafePoint {
  readonly event: number;
  readonly contents: Uint8Array;
}

/** Uses a disk like a guest; returns what is safe from when on, and the sectors written since each point. */
function use(disk: Qcow2Image, file: RecordedFile, random: (limit: number) => number) {
  const model = new Uint8Array(BYTES);
  disk.read(0, model);
  const safe: SafePoint[] = [{ event: 0, contents: model.slice() }];
  /** by safe point: sectors that were written after it, which may hold anything written there */
  const changed: Set<number>[] = [new Set()];
  for (let step = 0; step < 120; step++) {
    const first = random(SECTORS);
    const count = Math.min(SECTORS - first, 1 + random(24));
    const [offset, length] = [first * 512, count * 512];
    const kind = random(8);
    if (kind === 7 || kind === 6) {
      disk.flush();
      safe.push({ event: file.events.length, contents: model.slice() });
      changed.push(new Set());
      continue;
    }
    for (let sector = first; sector < first + count; sector++) changed.at(-1)?.add(sector);
    if (kind === 5) disk.writeZeroes(offset, length);
    else if (kind === 4) disk.discard(offset, length);
    else disk.write(offset, new Uint8Array(length).fill(1 + random(255)));
    disk.read(0, model);
  }
  return { safe, changed };
}

/** The file as a crash leaves it that comes after `last` events. */
function wreck(
  start: Uint8Array,
  events: readonly Event[],
  last: number,
  hasPower: boolean,
  random: (limit: number) => number,
): MemoryFile {
  const file = new MemoryFile('wreck', start);
  const flushed = events.lastIndexOf('flush', last - 1);
  for (let index = 0; index < last; index++) {
    const event = events[index];
    if (event === undefined || event === 'flush') continue;
    // Without power any of the writes since the last flush may be missing.
    if (!hasPower && index > flushed && random(2) === 0) continue;
    file.write(event.offset, event.bytes);
  }
  return file;
}

function contentsOf(file: RandomAccessFile): Uint8Array {
  const bytes = new Uint8Array(file.size());
  file.read(0, bytes);
  return bytes;
}

describe(`qcow2 images after a crash (seed ${seed})`, () => {
  for (const [name, clusterBits, hasBacking] of [
    ['small clusters', 9, false],
    ['small clusters on another image', 9, true],
    ['clusters of 4 KiB', 12, false],
    ['clusters of 64 KiB', 16, true],
  ] as const) {
    test(`are free of faults and hold what was flushed: ${name}`, () => {
      const random = generator(seed + clusterBits);
      const base = new Uint8Array(BYTES).map((_, at) => (at >> 9) & 0xff);
      const backing = () => (hasBacking ? new RawImage(new MemoryFile('base', base)) : undefined);
      for (let round = 0; round < 6; round++) {
        const file = new RecordedFile('image');
        const behind = hasBacking ? { name: 'base', format: 'raw' as const } : undefined;
        createQcow2(file, { bytes: BYTES, clusterBits, backing: behind });
        const start = contentsOf(file);
        file.events.length = 0;
        const disk = new Qcow2Image({ file, codecs, backing: backing() });
        const { safe, changed } = use(disk, file, random);
        for (let crash = 0; crash < 40; crash++) {
          const last = random(file.events.length + 1);
          const left = wreck(start, file.events, last, crash % 2 === 0, random);
          const where = `round ${round}, crash ${crash} after ${last} of ${file.events.length}`;
          const { faultCount, faults } = checkImage(left, codecs);
          assert.equal(faultCount, 0, `${where}: ${faults.join('; ')}`);

          const point = safe.findLastIndex(({ event }) => event <= last);
          const found = new Uint8Array(BYTES);
          new Qcow2Image({ file: left, codecs, backing: backing() }).read(0, found);
          const { contents } = safe[point] as SafePoint;
          for (let sector = 0; sector < SECTORS; sector++) {
            if (changed[point]?.has(sector)) continue;
            const [from, to] = [sector * 512, sector * 512 + 512];
            const isSame =
              Buffer.compare(found.subarray(from, to), contents.subarray(from, to)) === 0;
            assert.ok(isSame, `${where}: sector ${sector} lost what was flushed`);
          }
        }
      }
    });
  }
});
