import type { AccessSize, RegisterBank } from '../bus/mod.ts';

/**
 * A bank of byte-wide registers. A wider access is done byte by byte, lowest offset first,
 * as an 8-bit device on the ISA bus sees it.
 */
export function byteBank(
  read: (offset: number) => number,
  write: (offset: number, value: number) => void,
): RegisterBank {
  return {
    read(offset, size) {
      if (size === 1) return read(offset);
      let value = 0;
      for (let byte = 0; byte < size; byte++) value |= read(offset + byte) << (8 * byte);
      return value >>> 0;
    },
    write(offset, size, value) {
      if (size === 1) {
        write(offset, value & 0xff);
        return;
      }
      for (let byte = 0; byte < size; byte++) write(offset + byte, (value >>> (8 * byte)) & 0xff);
    },
  };
}

/** The part of a 32-bit register that an access of `size` bytes at `offset` reads. */
export function partOfWord(word: number, offset: number, size: AccessSize): number {
  const value = word >>> (8 * (offset & 3));
  return size === 4 ? value : (value & (2 ** (8 * size) - 1)) >>> 0;
}
