import assert from 'node:assert/strict';
import type { BlockBackend } from '../../src/bus/mod.ts';

/** What a disk should hold: an array of bytes, where discarded sectors may hold anything. */
export class DiskModel {
  readonly bytes: Uint8Array;
  /** by sector: its contents are not known */
  readonly #unknown: Uint8Array;

  constructor(bytes: number, contents?: Uint8Array) {
    this.bytes = new Uint8Array(bytes);
    if (contents !== undefined) this.bytes.set(contents.subarray(0, bytes));
    this.#unknown = new Uint8Array(bytes / 512);
  }

  /** Does one random thing to the disk and to the model. */
  step(disk: BlockBackend, random: (limit: number) => number): void {
    const sectors = this.bytes.length / 512;
    const first = random(sectors);
    const count = Math.min(sectors - first, 1 + random(random(4) === 0 ? 600 : 20));
    const offset = first * 512;
    const length = count * 512;
    switch (random(8)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const data = new Uint8Array(length).fill(1 + random(255));
        for (let at = 0; at < length; at += 512) data[at] = random(256);
        disk.write(offset, data);
        this.bytes.set(data, offset);
        this.#unknown.fill(0, first, first + count);
        break;
      }
      case 4:
        disk.writeZeroes(offset, length);
        this.bytes.fill(0, offset, offset + length);
        this.#unknown.fill(0, first, first + count);
        break;
      case 5:
        disk.discard(offset, length);
        this.#unknown.fill(1, first, first + count);
        break;
      case 6:
        disk.flush();
        break;
      default:
        this.expectSame(disk, offset, length);
    }
  }

  /** The disk holds what it should; what was discarded is taken over. */
  expectSame(disk: BlockBackend, offset: number, length: number): void {
    const found = new Uint8Array(length);
    disk.read(offset, found);
    for (let at = 0; at < length; at += 512) {
      const sector = (offset + at) / 512;
      const there = found.subarray(at, at + 512);
      const mine = this.bytes.subarray(offset + at, offset + at + 512);
      if (this.#unknown[sector] === 1) {
        mine.set(there);
        this.#unknown[sector] = 0;
        continue;
      }
      if (!there.every((byte, index) => byte === mine[index])) {
        assert.fail(`sector ${sector} holds ${there[0]}, ${there[1]}, not ${mine[0]}, ${mine[1]}`);
      }
    }
  }
}
