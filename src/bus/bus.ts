import { VivariumError } from '../util/mod.ts';
import type { AccessSize, RegisterBank } from './device.ts';

interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly bank: RegisterBank;
}

/** All ones in `size` bytes: what a PC reads where nothing answers. */
export function openBus(size: AccessSize): number {
  return size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
}

/**
 * An address space of register banks: the 64 KiB of I/O ports, or the memory-mapped holes of
 * guest-physical memory. An access that straddles banks is answered byte by byte.
 */
export class Bus {
  readonly name: string;
  #mappings: Mapping[] = [];
  #last: Mapping | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Claims `[start, start + length)` for `bank`. Throws when part of the range is taken. */
  map(start: number, length: number, bank: RegisterBank): void {
    const end = start + length;
    for (const other of this.#mappings) {
      if (start < other.end && other.start < end) {
        throw new VivariumError(
          'bus-overlap',
          `${this.name}: range 0x${start.toString(16)} overlaps 0x${other.start.toString(16)}`,
        );
      }
    }
    this.#mappings.push({ start, end, bank });
    this.#mappings.sort((left, right) => left.start - right.start);
    this.#last = undefined;
  }

  /** Releases the range that starts at `start`. Harmless when nothing is mapped there. */
  unmap(start: number): void {
    this.#mappings = this.#mappings.filter((mapping) => mapping.start !== start);
    this.#last = undefined;
  }

  /** True when some bank claims `address`. */
  claims(address: number): boolean {
    return this.#find(address) !== undefined;
  }

  read(address: number, size: AccessSize): number {
    const mapping = this.#find(address);
    if (mapping !== undefined && address + size <= mapping.end) {
      return mapping.bank.read(address - mapping.start, size) >>> 0;
    }
    if (size === 1) return 0xff;
    let value = 0;
    for (let byte = 0; byte < size; byte++) value += this.read(address + byte, 1) * 2 ** (8 * byte);
    return value;
  }

  write(address: number, size: AccessSize, value: number): void {
    const mapping = this.#find(address);
    if (mapping !== undefined && address + size <= mapping.end) {
      mapping.bank.write(address - mapping.start, size, value >>> 0);
      return;
    }
    if (size === 1) return;
    for (let byte = 0; byte < size; byte++) {
      this.write(address + byte, 1, Math.floor(value / 2 ** (8 * byte)) & 0xff);
    }
  }

  #find(address: number): Mapping | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.start && address < last.end) return last;
    let low = 0;
    let high = this.#mappings.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const mapping = this.#mappings[middle] as Mapping;
      if (address < mapping.start) high = middle - 1;
      else if (address >= mapping.end) low = middle + 1;
      else {
        this.#last = mapping;
        return mapping;
      }
    }
    return undefined;
  }
}
