/** Copies kernel, RAM disk and tables into guest memory, after checking that there is RAM. */
import { VivariumError } from '../../util/mod.ts';
import { E820, type E820Entry, type LoadOptions } from './boot-state.ts';
import { MIB, PAGE_SIZE } from './layout.ts';

export class ImageWriter {
  readonly #options: LoadOptions;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** True if all of `[gpa, gpa + bytes)` is RAM; adjoining ranges count as one. */
  isRam(gpa: number, bytes: number): boolean {
    let at = gpa;
    for (const range of this.#options.memoryMap) {
      if (range.type !== E820.ram || range.gpa > at) continue;
      at = Math.max(at, range.gpa + range.bytes);
      if (at >= gpa + bytes) return true;
    }
    return at >= gpa + bytes;
  }

  /** Refuses a kernel that reaches beyond RAM. */
  requireRam(gpa: number, bytes: number): void {
    if (this.isRam(gpa, bytes)) return;
    const needed = inMib(gpa + bytes);
    if (gpa + bytes > this.#options.memoryBytes) {
      throw new VivariumError(
        'memory-too-small',
        `the kernel needs at least ${needed} of memory to load, but the machine has ${this.#memory}`,
      );
    }
    const range = `0x${gpa.toString(16)}-0x${(gpa + bytes - 1).toString(16)}`;
    throw new VivariumError(
      'kernel-address',
      `the kernel wants to be loaded at ${range}, where this machine has no RAM`,
    );
  }

  /**
   * Puts the initial RAM disk as high as it fits, page-aligned, from `floor` up to and without
   * `limit`. Returns its address.
   */
  placeInitrd(initrd: Uint8Array, floor: number, limit: number): number {
    const ranges = this.#options.memoryMap.filter((range) => range.type === E820.ram);
    for (const range of ranges.reverse()) {
      const end = Math.min(range.gpa + range.bytes, limit);
      const gpa = Math.floor((end - initrd.length) / PAGE_SIZE) * PAGE_SIZE;
      if (gpa < Math.max(range.gpa, floor)) continue;
      this.copy(gpa, initrd);
      return gpa;
    }
    const needed = inMib(floor + Math.ceil(initrd.length / PAGE_SIZE) * PAGE_SIZE);
    throw new VivariumError(
      'memory-too-small',
      `the initial RAM disk (${inMib(initrd.length)}) does not fit into memory beside the kernel: ` +
        `at least ${needed} are needed, and the machine has ${this.#memory}`,
    );
  }

  /** Copies a large image, leaving out the pages that are zero so that they cost no memory. */
  copy(gpa: number, bytes: Uint8Array): void {
    let runStart = 0;
    let offset = 0;
    while (offset < bytes.length) {
      const end = Math.min(bytes.length, offset + PAGE_SIZE - ((gpa + offset) % PAGE_SIZE));
      if (isZero(bytes, offset, end)) {
        this.#writeRun(gpa, bytes, runStart, offset);
        runStart = end;
      }
      offset = end;
    }
    this.#writeRun(gpa, bytes, runStart, bytes.length);
  }

  /** Writes a small table as it is. */
  write(gpa: number, bytes: Uint8Array): void {
    this.#options.write(gpa, bytes);
  }

  #writeRun(gpa: number, bytes: Uint8Array, start: number, end: number): void {
    if (end > start) this.#options.write(gpa + start, bytes.subarray(start, end));
  }

  get #memory(): string {
    return inMib(this.#options.memoryBytes);
  }
}

/** The end of the RAM that starts at or holds 1 MiB, or 1 MiB if there is none. */
export function endOfExtendedRam(map: readonly E820Entry[]): number {
  let end = MIB;
  for (const range of map) {
    if (range.type === E820.ram && range.gpa <= end) end = Math.max(end, range.gpa + range.bytes);
  }
  return end;
}

/** A size for people, rounded up to whole MiB. */
export function inMib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (bytes[index] !== 0) return false;
  return true;
}
