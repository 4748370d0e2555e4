import { PAGE_BYTES } from './frame-pool.ts';
import type { GuestMemory } from './guest-memory.ts';

/**
 * Memory that belongs to a device, and that the guest reaches like RAM where the device says: the
 * frame buffer of a graphics card, the contents of a flash chip. It lies in the frame pool, so
 * compiled code reads and writes it directly, and whoever saves guest memory saves it as well.
 *
 * Where other memory lies already, that one stays: on a real machine such an overlap is a mistake of
 * the guest.
 */
export class DeviceMemory {
  /** The contents, for the device's own eyes: reading is always right, for writing see `changed`. */
  readonly bytes: Uint8Array;
  readonly #memory: GuestMemory;
  readonly #frames: number;
  #gpa: number | undefined;
  #mapped: number[] = [];

  /**
   * @param offset of its frames in the pool
   * @param readOnly guest writes do not change it: they go to the bus of device registers
   */
  constructor(memory: GuestMemory, offset: number, bytes: number, readOnly: boolean) {
    this.#memory = memory;
    this.#frames = offset;
    this.bytes = memory.pool.bytes.subarray(offset, offset + bytes);
    if (!readOnly) return;
    for (let at = 0; at < bytes; at += PAGE_BYTES) memory.setReadOnly(offset + at);
  }

  /** Where the guest sees it; undefined when it does not. */
  get gpa(): number | undefined {
    return this.#gpa;
  }

  /** Moves it to guest-physical `gpa`, or out of the guest's sight. */
  moveTo(gpa: number | undefined): void {
    if (gpa === this.#gpa) return;
    for (const gfn of this.#mapped) this.#memory.pageMap[gfn] = 0;
    this.#mapped = [];
    this.#gpa = gpa;
    if (gpa !== undefined && gpa % PAGE_BYTES === 0) this.#map(gpa / PAGE_BYTES);
    this.#memory.mappingChanged();
  }

  /** True when all of the range is this memory's. */
  contains(gpa: number, bytes: number): boolean {
    const start = this.#gpa;
    return start !== undefined && gpa >= start && gpa + bytes <= start + this.bytes.length;
  }

  /** The device has changed `count` bytes: code that was translated from them is stale. */
  changed(offset: number, count: number): void {
    const memory = this.#memory;
    for (let at = offset; at < offset + count; ) {
      const inPage = at % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - inPage, offset + count - at);
      const frame = this.#frames + at - inPage;
      if (memory.hasCode(frame)) memory.codeWriteListener?.(frame, inPage, length);
      at += length;
    }
  }

  /** Guest reads reach it, or go to the bus instead: a flash chip may answer with its status. */
  set readable(value: boolean) {
    if (this.#gpa === undefined) return;
    const gpa = this.#gpa;
    const first = gpa / PAGE_BYTES;
    for (const gfn of this.#mapped) {
      const frame = this.#frames / PAGE_BYTES + (gfn - first);
      this.#memory.pageMap[gfn] = value ? frame : 0;
    }
    this.#memory.mappingChanged();
  }

  #map(first: number): void {
    const { pageMap } = this.#memory;
    for (let page = 0; page < this.bytes.length / PAGE_BYTES; page++) {
      const gfn = first + page;
      if (gfn >= pageMap.length || pageMap[gfn] !== 0) continue;
      pageMap[gfn] = this.#frames / PAGE_BYTES + page;
      this.#mapped.push(gfn);
    }
  }
}
